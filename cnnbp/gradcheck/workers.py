"""Threads that evaluate pieces of work, each piece in an arena that no other piece uses meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from cnnbp.arrays import Arena
from cnnbp.engine import available_cores, one_blas_thread

Work = TypeVar("Work")
Result = TypeVar("Result")


class Workers:
    """A context manager: inside it BLAS has one thread, and the pieces run side by side.

    No number warns: what overflows or is none shows in the verdicts.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or available_cores()
        self._arenas: list[Arena] = []
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        self._resources.enter_context(one_blas_thread())
        self._resources.enter_context(np.errstate(all="ignore"))
        pool = ThreadPoolExecutor(self.threads, "gradcheck", lambda: np.seterr(all="ignore"))
        self._pool = self._resources.enter_context(pool)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    def map(self, function: Callable[[Work, Arena], Result], work: Sequence[Work]) -> Iterator[Result]:
        """Apply the function to each piece; results come in the order of the pieces."""

        def run(piece: Work) -> Result:
            arena = self._take_arena()
            result = function(piece, arena)
            self._arenas.append(arena)
            return result

        return map(run, work) if self.threads == 1 or len(work) == 1 else self._pool.map(run, work)

    def _take_arena(self) -> Arena:
        try:
            arena = self._arenas.pop()  # asking first whether there is one would let another thread come between
        except IndexError:
            return Arena()
        arena.reset()
        return arena

    def alone(self, arena: Arena) -> "Workers":
        """Return a single worker for what is already one piece of many, with this piece's arena."""
        worker = Workers(1)
        worker._arenas.append(arena)
        return worker
