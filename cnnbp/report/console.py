"""The two ends of the terminal: results on stdout, progress, warnings and errors on stderr.

Markup, emoji and highlighting are off, so a name from the user (`[red]` is a legal class name) is shown as it is;
colour comes from styles.
"""

import os
import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

WIDE = 1000  # columns where there is no terminal: a table takes what it needs, nothing is cut or wrapped


def results_console() -> Console:
    """Return the console for results, on stdout."""
    return _console(sys.stdout)


def notes_console(*, quiet: bool = False) -> Console:
    """Return the console for progress and warnings, on stderr; a quiet one shows nothing."""
    return _console(sys.stderr, quiet=quiet)


def print_error(message: str) -> None:
    """Say on stderr what is wrong. Every `error: ` that begins a paragraph of the message stands out."""
    text = Text(f"error: {printable(message)}")
    text.highlight_regex(r"(?m)^error:", "bold red")
    notes_console().print(text, soft_wrap=True)


def printable(text: str) -> str:
    """Return text with every character that a terminal might act on, other than a newline, written as \\x1b."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def one_line(name: str) -> str:
    """Return a name as a table or a sentence can hold it: printable, and a newline in it is \\n."""
    return printable(name).replace("\n", "\\n")


def _console(stream: TextIO, *, quiet: bool = False) -> Console:
    known = stream.isatty() or "COLUMNS" in os.environ
    return Console(
        file=stream,
        width=None if known else WIDE,
        quiet=quiet,
        force_jupyter=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
