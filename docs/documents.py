"""Documents whose examples are run: what a page shows is what happens.

    python -m docs.documents [PAGE …]     run every example of the pages, and rewrite the outputs that have changed

Two kinds of fenced blocks are examples. All of a page run in order, in a folder with `configs`, `datasets` and `docs`:

- `console`: lines that begin with `$ ` are given to bash, what follows is what they print;
- `python`: a `>>>` session, whose names last to the end of the page.

In an output `…` stands for anything within its line, and alone on a line for any lines.
"""

import doctest
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BESIDE_PYTHON = Path(sys.executable).parent
PAGES = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md")

_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_SECONDS = 120


@dataclass(frozen=True)
class Mismatch:
    """An example that does something else than the page says. `start` and `end` are the output's place in the text."""

    page: Path
    line: int
    command: str
    expected: str
    got: str
    start: int
    end: int

    def __str__(self) -> str:
        place = f"{self.page.relative_to(ROOT)}:{self.line}"
        return f"{place}: {self.command}\n--- the page says\n{self.expected}--- but it prints\n{self.got}"


@dataclass(frozen=True)
class Example:
    """One command of a console block and what it should print."""

    command: str
    output: str
    start: int
    end: int


def mismatches(page: Path, commands: Path = BESIDE_PYTHON) -> list[Mismatch]:
    """Run all examples of a page with the programs of a folder, and return those whose output differs."""
    text, names = page.read_text(encoding="utf-8"), {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder:
        _furnish(Path(folder))
        found = []
        for kind, body, start in _blocks(text):
            line = text.count("\n", 0, start) + 1
            if kind == "console":
                found += _run_console(page, line, body, start, Path(folder), commands)
            else:
                found += _run_python(page, line, body, names, Path(folder))
        return found


def _blocks(text: str) -> Iterator[tuple[str, str, int]]:
    for match in _BLOCK.finditer(text):
        yield match[1], match[2], match.start(2)


def _furnish(folder: Path) -> None:
    for name in ("configs", "datasets", "docs"):
        (folder / name).symlink_to(ROOT / name)


def examples(body: str, start: int) -> list[Example]:
    """Cut a console block, which begins at `start`, into its commands."""
    return [
        Example(match[1], match[2], start + match.start(2), start + match.end(2))
        for match in re.finditer(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE)
    ]


def _run_console(page: Path, line: int, body: str, start: int, folder: Path, commands: Path) -> list[Mismatch]:
    found = []
    for example in examples(body, start):
        got = _shell(example.command, folder, commands)
        if not matches(example.output, got):
            found.append(Mismatch(page, line, example.command, example.output, got, example.start, example.end))
    return found


def _shell(command: str, folder: Path, commands: Path) -> str:
    """Return what a command prints on stdout and stderr together, without colour and white space at the ends."""
    outside = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "FORCE_COLOR")}
    path = os.pathsep.join([str(commands), str(BESIDE_PYTHON), os.environ["PATH"]])
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**outside, "PATH": path, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return "".join(f"{line.rstrip()}\n" for line in result.stdout.rstrip().splitlines())


def matches(expected: str, got: str) -> bool:
    """Tell whether an output is as the page says."""
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + "\n"
        for line in expected.splitlines()
    )
    return re.fullmatch(pattern, got) is not None


def _run_python(page: Path, line: int, body: str, names: dict[str, Any], folder: Path) -> list[Mismatch]:
    test = doctest.DocTestParser().get_doctest(body.replace("…", "..."), names, page.name, str(page), line)
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=_FLAGS)
    before = Path.cwd()
    os.chdir(folder)
    try:
        runner.run(test, out=failures.append, clear_globs=False)
    finally:
        os.chdir(before)
    names.update(test.globs)
    return [Mismatch(page, line, "python", "", "".join(failures), 0, 0)] if failures else []


def _rewrite(page: Path) -> None:
    """Put what the commands print today into the page; a Python session is shown, for its author to mend."""
    text, found = page.read_text(encoding="utf-8"), mismatches(page)
    for mismatch in sorted(found, key=lambda mismatch: -mismatch.start):
        print(mismatch)
        if mismatch.end:
            text = text[: mismatch.start] + mismatch.got + text[mismatch.end :]
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or PAGES:
        _rewrite(Path(name).resolve())
