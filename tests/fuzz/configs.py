"""Damaged configurations: they are valid, or a ConfigError."""

from pathlib import Path
from random import Random

from cnnbp.config import load_config
from tests.config.strategies import NASTY
from tests.fuzz.mutation import mutated

_CONFIGS = Path(__file__).parents[2] / "configs"
_PIECES = [
    *NASTY,
    "!!binary aGk=",
    "!!set {a, b}",
    "&a [*a]",
    "&a {<<: *a}",
    "*missing",
    "? [complex, key]",
    "2001-01-01",
    "%TAG ! tag:x,2000:\n",
    "{a: " * 200,
    "- " * 200,
    "\x85",
    "a: b: c",
    "residual: [relu, {residual: [relu]}]",
]
_ENCODINGS = ["utf-8"] * 12 + ["utf-16", "utf-32", "latin-1"]


def seeds() -> list[bytes]:
    """Return the configurations that come with the project."""
    return [path.read_bytes() for path in sorted(_CONFIGS.glob("*.yaml"))]


def damaged(files: list[bytes], rng: Random) -> bytes:
    """Damage bytes, lines or words."""
    content = rng.choice(files)
    if rng.random() < 0.3:
        return mutated(content, files, rng)
    lines = content.decode().split("\n")
    for _ in range(rng.choice([1, 1, 2, 3, 6])):
        rng.choice([_put_piece, _put_piece, _replace_value, _move_line, _drop_line, _indent])(lines, rng)
    return "\n".join(lines).encode(rng.choice(_ENCODINGS), "replace")


def run(path: Path) -> None:
    """Read a configuration and its network."""
    load_config(path).network  # noqa: B018


def _put_piece(lines: list[str], rng: Random) -> None:
    line = rng.randrange(len(lines))
    at = rng.randrange(len(lines[line]) + 1)
    lines[line] = lines[line][:at] + rng.choice(_PIECES) + lines[line][at:]


def _replace_value(lines: list[str], rng: Random) -> None:
    line = rng.randrange(len(lines))
    key, colon, _ = lines[line].partition(": ")
    if colon:
        lines[line] = f"{key}: {rng.choice(_PIECES)}"


def _move_line(lines: list[str], rng: Random) -> None:
    lines.insert(rng.randrange(len(lines)), lines.pop(rng.randrange(len(lines))))


def _drop_line(lines: list[str], rng: Random) -> None:
    lines[rng.randrange(len(lines))] = ""


def _indent(lines: list[str], rng: Random) -> None:
    line = rng.randrange(len(lines))
    lines[line] = " " * rng.randrange(9) + lines[line].strip()
