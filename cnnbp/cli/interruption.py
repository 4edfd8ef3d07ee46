"""Ctrl-C while a run is under way: the first one asks to stop, the second one stops."""

import os
import signal
from types import FrameType, TracebackType
from typing import Self

_STDERR = 2
_MESSAGE = b"\ninterrupted: finishing this batch and saving; Ctrl-C again quits at once\n"


class Interruption:
    """A context in which the first SIGINT only sets `requested`, and says so at once."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _first(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.write(_STDERR, _MESSAGE)  # not through a stream, which may be in the middle of a write
        self.requested = True
