"""What is wrong with a configuration, where, and how that is shown: every problem at once, each at its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from cnnbp.errors import ConfigError

_WIDEST_LINE = 160  # characters of a source line that are shown around a problem
_LONGEST_TEXT = 60  # characters of a wrong text that are repeated in a message


@dataclass(frozen=True)
class Source:
    """A text that a configuration comes from: a file, or one override on the command line."""

    name: str
    lines: tuple[str, ...]
    is_file: bool = True


@dataclass(frozen=True)
class Mark:
    """A stretch of one line, counted from 0."""

    source: Source
    line: int
    column: int
    width: int = 1


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; `hint` stands behind the caret."""

    message: str
    mark: Mark
    hint: str = ""


def refuse(problems: Sequence[Problem]) -> ConfigError:
    """Return the error that shows every problem, in the order of their places, only one for each place.

    Its text comes without the first `error: `, which the command line puts before every message.
    """
    first_at = {(p.mark.source.name, p.mark.line, p.mark.column): p for p in reversed(problems)}
    ordered = sorted(first_at.values(), key=lambda p: (not p.mark.source.is_file, p.mark.line, p.mark.column))
    return ConfigError("\n\nerror: ".join(render(problem) for problem in ordered))


def render(problem: Problem) -> str:
    """Return the message, the place, its line and a caret under what is wrong."""
    mark = problem.mark
    place = f"{mark.source.name}:{mark.line + 1}:{mark.column + 1}" if mark.source.is_file else mark.source.name
    number = str(mark.line + 1) if mark.source.is_file else " "
    margin = " " * len(number)
    line, before, width = _excerpt(mark)
    caret = f"{' ' * before}{'^' * width} {problem.hint}".rstrip()
    return f"{problem.message}\n{margin}--> {place}\n{margin} |\n{number} | {line}\n{margin} | {caret}"


def _excerpt(mark: Mark) -> tuple[str, int, int]:
    """Return the line as it is shown, how far in the caret starts and how wide it is."""
    line = mark.source.lines[mark.line] if mark.line < len(mark.source.lines) else ""
    start = max(0, mark.column + 20 - _WIDEST_LINE)
    before = escaped(line[start : mark.column])
    marked = escaped(line[mark.column : mark.column + mark.width])[: _WIDEST_LINE // 2]
    shown = escaped(line[start : start + _WIDEST_LINE])
    return shown, len(before), max(len(marked), 1)


def escaped(text: str) -> str:
    """Return the text with every character that a terminal might act on written as \\x1b."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def described(value: Any) -> str:
    """Return a wrong value as a message repeats it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            short = value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "…"
            return f'"{escaped(short)}"'
        case int() | float():
            return str(value)
        case dict():
            return "a mapping"
        case _:
            return "a list"


def did_you_mean(wrong: str, known: Sequence[str]) -> str:
    """Return the hint that names the closest known word, else the known words."""
    close = get_close_matches(wrong.lower(), known, n=1)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(known)}"
