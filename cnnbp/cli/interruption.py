"""Ctrl-C, or a request to end, while a run is under way: the first one asks to stop, the second one stops."""

import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self

from cnnbp.cli.verbs import INTERRUPTED
from cnnbp.engine.ranks import ALONE, Ranks

_STDERR = 2
_MESSAGES = {
    signal.SIGINT: b"interrupted: finishing this batch and saving; Ctrl-C again quits at once\n",
    signal.SIGTERM: b"asked to end: finishing this batch and saving; a second signal quits at once\n",
}
_CLEAR_LINE = b"\r\x1b[2K"


class Interruption:
    """A context in which the first SIGINT or SIGTERM only sets `requested`, and says so at once.

    The second one does what it always did. A signal that was ignored before stays ignored.
    Of several ranks only the first says so, and what quits at once is mpiexec.
    """

    def __init__(self, ranks: Ranks = ALONE, *, bar: bool = False) -> None:
        """`bar` says that there is a progress bar on stderr's last line, whose place the message takes."""
        self.requested = False
        self.exit_code = INTERRUPTED
        self._ranks, self._line = ranks, _CLEAR_LINE if bar else b"\n"
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in _MESSAGES:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _first(self, number: int, frame: FrameType | None) -> None:
        if self._ranks.size == 1:
            self._restore()
        if self.requested:
            return
        if self._ranks.rank == 0:
            message = self._line + _MESSAGES[signal.Signals(number)]
            os.write(_STDERR, message)  # not through a stream, which may be in mid-write
        self.requested, self.exit_code = True, 128 + number  # as shells count
