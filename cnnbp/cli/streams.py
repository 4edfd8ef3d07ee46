"""What stdin, stdout and stderr do at their limits: closed, full, left by their reader, too narrow, or of few letters.

Results that cannot be written are an error; progress and messages that cannot be are none.
"""

import codecs
import errno
import io
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

from cnnbp.errors import CnnbpError

_LOOKS_LIKE = {
    "x": "×ˣ",
    ".": "·▂",
    "*": "⋆⊙●▆",
    "d": "∂∇",
    "D": "Δ",
    "S": "Σ",
    "P": "Φ",
    "a": "α",
    "b": "β",
    "g": "γ",
    "e": "ε",
    "t": "θ",
    "l": "λ",
    "m": "μₘ",
    "n": "η",
    "p": "π",
    "r": "ρ",
    "s": "σ",
    "8": "⁸",
    "inf": "∞",
    "v": "√",
    "2": "²₂",
    "3": "³",
    "0": "⁰",
    "1": "¹₁",
    "6": "⁶",
    "-": "⁻−–—─━▃",
    "=": "▄",
    "#": "▇█",
    "k": "ₖ",
    "T": "ᵀ",
    "z": "ᶻ",
    "'": "′",
    '"': "″",
    "~": "±…",
    ">": "→≥⟩",
    "<": "←⟨",
    "[": "⌊⌈",
    "]": "⌋⌉",
    "|": "‖│┃",
    "+": "▅├└┌┐┘┤┬┴┼╭╮╯╰",
    "o": "○",
    " ": "°",
    "^": "\u0302",
    "_": "\u0304▁",
}
_PLAIN = {ord(character): plain for plain, characters in _LOOKS_LIKE.items() for character in characters}


_WIDEST = 10_000  # columns or lines that a terminal may claim to have


class StdoutLost(CnnbpError):
    """Results that cannot be written to stdout."""

    exit_code = 3


class ReaderLeft(StdoutLost):
    """The reader of stdout has closed its pipe, as `head` does: no mistake of anyone's."""

    exit_code = 141  # 128 + SIGPIPE, as shells count


def prepare_streams() -> None:
    """Make stdout raise StdoutLost and stderr nothing, wherever they lead, and let both write `x` or `?` for `×`.

    One that is closed is opened, so that no other file gets its number: stdin is then empty, stdout cannot be written.
    """
    codecs.register_error("cnnbp", _replacement)
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  (for as long as the process)
    sys.stdout = _replaced(sys.stdout, 1, _stdout_failed)
    sys.stderr = _replaced(sys.stderr, 2, lambda error: None)
    forget_absurd_sizes()


def forget_absurd_sizes() -> None:
    """Drop from the environment what no terminal can have as its width or height: nothing would be shown at all."""
    for name in ("COLUMNS", "LINES", "TERMINAL_WIDTH"):
        value = os.environ.get(name, "")
        if not (value.isascii() and value.isdecimal() and 0 < int(value[:9]) <= _WIDEST):
            os.environ.pop(name, None)


def end_without_stdout(lost: StdoutLost) -> NoReturn:
    """End the process: with a message, or where the reader has left as quietly as SIGPIPE ends others."""
    from cnnbp.report.console import print_error

    if not isinstance(lost, ReaderLeft):
        print_error(str(lost))
    elif hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.raise_signal(signal.SIGPIPE)
    sys.exit(lost.exit_code)


class _Descriptor(io.FileIO):
    """A standard stream's file. A write that fails is told to `failed`, the first time only, and counts as done."""

    def __init__(self, descriptor: int, failed: Callable[[OSError], None]) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._failed = failed

    def write(self, content: Any, /) -> int:
        try:
            while (written := super().write(content)) is None:  # a pipe that does not block, and is full
                select.select([], [self], [])
            return written
        except OSError as error:
            failed, self._failed = self._failed, lambda error: None
            failed(error)
            return memoryview(content).nbytes


def _replaced(stream: TextIO | None, descriptor: int, failed: Callable[[OSError], None]) -> TextIO:
    """Return a stream that writes as `stream` does; where that is a test's own, itself."""
    if stream is not None and not isinstance(stream, io.TextIOWrapper):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(descriptor, failed)),
        encoding=stream.encoding if stream else "utf-8",
        errors="cnnbp",
        line_buffering=stream is not None and stream.line_buffering,
        write_through=stream is not None and stream.write_through,
    )


def _stdout_failed(error: OSError) -> NoReturn:
    if error.errno == errno.EPIPE:
        raise ReaderLeft("the reader of stdout has left") from error
    raise StdoutLost(f"cannot write the results to stdout: {error.strerror}") from error


def _replacement(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(c if c.isascii() else "?" for c in plain), error.end
