"""Ctrl-C while a run is under way: the first one asks to stop, the second one stops."""

import os
import signal
from types import FrameType, TracebackType
from typing import Self

from cnnbp.engine.ranks import ALONE, Ranks

_STDERR = 2
_MESSAGE = b"\ninterrupted: finishing this batch and saving; Ctrl-C again quits at once\n"


class Interruption:
    """A context in which the first SIGINT only sets `requested`, and says so at once.

    Of several ranks only the first says so, and what quits at once is mpiexec.
    """

    def __init__(self, ranks: Ranks = ALONE) -> None:
        self.requested = False
        self._ranks = ranks

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _first(self, number: int, frame: FrameType | None) -> None:
        if self._ranks.size == 1:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._ranks.rank == 0 and not self.requested:
            os.write(_STDERR, _MESSAGE)  # not through a stream, which may be in the middle of a write
        self.requested = True
