"""Ctrl-C, or a request to end, while a run is under way: the first one asks to stop, the second one stops."""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from cnnbp.cli.verbs import INTERRUPTED
from cnnbp.engine.ranks import ALONE, Ranks

_STDERR = 2
_ASKED = b"asked to end: finishing this batch and saving; a second signal quits at once\n"
_MESSAGES = {
    signal.SIGINT: b"interrupted: finishing this batch and saving; Ctrl-C again quits at once\n",
    signal.SIGTERM: _ASKED,
    **({signal.SIGHUP: _ASKED} if sys.platform != "win32" else {}),  # the terminal has gone
}
_CLEAR_LINE = b"\r\x1b[2K"


class Interruption:
    """A context in which the first SIGINT, SIGTERM or SIGHUP only sets `requested`, and says so at once.

    The second one of a kind does what it always did. A signal that was ignored before stays ignored.
    Of several ranks only the first says so, and what quits at once is mpiexec.
    """

    def __init__(self, ranks: Ranks = ALONE, *, bar: bool = False) -> None:
        """`bar` says that there is a progress bar on stderr's last line, whose place the message takes."""
        self.requested = False
        self.exit_code = INTERRUPTED
        self._ranks, self._line = ranks, _CLEAR_LINE if bar else b"\n"
        self._before: dict[int, Any] = {}
        self._heard: set[int] = set()

    def __enter__(self) -> Self:
        for number in _MESSAGES:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        """Note a signal. No handler is taken away here: the next signal may be on its way to it."""
        if number in self._heard and self._ranks.size == 1:
            self._quit(number, frame)
        self._heard.add(number)
        if self._ranks.rank == 0:
            with suppress(OSError):  # where stderr was the terminal that has gone
                os.write(_STDERR, self._line + _MESSAGES[signal.Signals(number)])  # a stream may be in mid-write
        if not self.requested:
            self.requested, self.exit_code = True, 128 + number  # as shells count

    def _quit(self, number: int, frame: FrameType | None) -> None:
        before = self._before[number]
        if callable(before):
            before(number, frame)
        else:
            signal.signal(number, before)
            signal.raise_signal(number)
