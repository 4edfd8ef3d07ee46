"""From text to a checked configuration."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from cnnbp.config.checks import network_problems
from cnnbp.config.messages import find, problems_of
from cnnbp.config.models import Config, Origin
from cnnbp.config.overrides import override
from cnnbp.config.problems import Mark, Problem, refuse
from cnnbp.config.yaml_text import Node, TextError, read_yaml, source_of
from cnnbp.errors import ConfigError

LARGEST_FILE = 1 << 20  # bytes


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file. Raises ConfigError with every problem at its place."""
    return parse_config(_read(path), str(path), overrides)


def parse_config(text: str, source: str, overrides: Sequence[str] = ()) -> Config:
    """Read YAML text; `source` is the file that it is from. Raises ConfigError with every problem at its place.

    A relative data.path starts at the source's folder, in an override at the working directory.
    """
    problems: list[Problem] = []
    try:
        root = read_yaml(text, source_of(text, source), problems)
    except TextError as error:
        raise refuse([*problems, error.problem]) from error
    for one in overrides:
        root = override(root, one, Config, problems)
    config = _validated(root, problems)
    if config is None or problems:
        raise refuse(problems)
    return _anchored(config, root, Path(source).absolute().parent)


def _validated(root: Node, problems: list[Problem]) -> Config | None:
    try:
        config = Config.model_validate(root.plain(), strict=True)
    except ValidationError as error:
        problems += problems_of(error, root, Config)
        return None
    problems += network_problems(config, root)
    config._origin = Origin(root)
    return config


def _anchored(config: Config, root: Node, folder: Path) -> Config:
    """Return the configuration with an absolute data.path."""
    if config.data is None or config.data.path is None:
        return config
    given_in_file = find(root, ("data", "path")).node.mark.source.is_file
    base = folder if given_in_file else Path.cwd()
    return config.with_data(base / config.data.path)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except IsADirectoryError as error:
        raise ConfigError(f"{str(path)!r} is a folder; a configuration is a YAML file") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot read {str(path)!r}: {reason}") from error
    if len(raw) > LARGEST_FILE:
        raise ConfigError(f"{str(path)!r} is larger than 1 MiB; a configuration is a short YAML file")
    return _decoded(raw, str(path))


def _decoded(raw: bytes, name: str) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw[:4]:
        raise ConfigError(f"{name!r} looks like UTF-16 or UTF-32: save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = raw[: error.start].decode("utf-8-sig")
        source = source_of(text + "\N{REPLACEMENT CHARACTER}", name)
        mark = Mark(source, len(source.lines) - 1, len(source.lines[-1]) - 1)
        problem = Problem(f"not UTF-8: the byte 0x{raw[error.start]:02x}; save the file as UTF-8", mark)
        raise refuse([problem]) from error
