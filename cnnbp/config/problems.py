"""What is wrong with a configuration, where, and how that is shown: every problem at once, each at its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import east_asian_width

from cnnbp.errors import ConfigError

MOST_SHOWN = 100

_WIDEST = 120  # characters of a source line that are shown
_LONGEST = 60  # characters of a text that are repeated in a message


@dataclass(frozen=True, eq=False)
class Source:
    """A text that a configuration comes from: a file, or one override on the command line."""

    name: str
    lines: tuple[str, ...]
    is_file: bool = True


@dataclass(frozen=True)
class Mark:
    """A stretch of one line; line and column are counted from 0. A value that is not there has no width."""

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


def refusal(problems: Sequence[Problem]) -> ConfigError:
    """Return the error that shows all problems, those of the file from top to bottom, then those of the overrides.

    Its text comes without the first `error: `, which the command line puts before every message.
    """
    ordered = sorted(problems, key=lambda p: (p.mark.line, p.mark.column) if p.mark.source.is_file else (1 << 30, 0))
    texts = [rendered(problem) for problem in ordered[:MOST_SHOWN]]
    if len(ordered) > MOST_SHOWN:
        texts.append("and more")
    return ConfigError("\n\nerror: ".join(texts))


def rendered(problem: Problem) -> str:
    """Return the message, the place, its line and a caret under what is wrong."""
    mark = problem.mark
    place = f"{mark.source.name}:{mark.line + 1}:{mark.column + 1}" if mark.source.is_file else mark.source.name
    number = str(mark.line + 1) if mark.source.is_file else " "
    margin = " " * len(number)
    before, marked, after = _excerpt(mark)
    caret = f"{' ' * _width(before)}{'^' * max(_width(marked), 1)} {problem.hint}".rstrip()
    return "\n".join(
        (
            problem.message,
            f"{margin}--> {place}",
            f"{margin} |",
            f"{number} | {before}{marked}{after}",
            f"{margin} | {caret}",
        )
    )


def _excerpt(mark: Mark) -> tuple[str, str, str]:
    """Return what is shown of the line before the mark, in it, and behind it."""
    line = mark.source.lines[mark.line] if mark.line < len(mark.source.lines) else ""
    start = mark.column - _WIDEST // 2 if mark.column > _WIDEST * 3 // 4 else 0
    end = min(mark.column + mark.width, start + _WIDEST)
    before, after = escaped(line[start : mark.column]), escaped(line[end : start + _WIDEST])
    return "…" * (start > 0) + before, escaped(line[mark.column : end]), after + "…" * (len(line) > start + _WIDEST)


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def escaped(text: str) -> str:
    r"""Return the text with every character that a terminal might act on written as \x1b."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str) -> str:
    """Return a text of any length and content as a message can repeat it."""
    return escaped(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def described(value: Any) -> str:
    """Return a wrong value as a message repeats it."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str():
            return f'"{shortened(value)}"'
        case int() | float():
            return str(value)
        case ():
            return "an empty list"
        case dict():
            return "a mapping"
        case _:
            return "a list"
