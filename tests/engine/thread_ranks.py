"""Ranks that are threads of one process: the protocol of `cnnbp.engine.ranks` in a few lines, for any number."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import numpy as np

from cnnbp.arrays import Array
from cnnbp.engine.ranks import Alone, Combine

Result = TypeVar("Result")


class ThreadRanks(Alone):
    """One of several; `board` is where all of them put what the others may read."""

    def __init__(self, rank: int, size: int, board: list[Any], barrier: Barrier) -> None:
        self.rank, self.size, self._board, self._barrier = rank, size, board, barrier

    def gather(self, mine: Array, counts: Sequence[int]) -> Array:
        assert len(mine) == counts[self.rank]
        return np.concatenate([rows for rows in self._all(mine) if len(rows)])

    gather_results = gather

    def combine(self, mine: Sequence[Array], counts: Sequence[int], combine: Combine, out: Array) -> None:
        assert len(mine) == counts[self.rank]
        everything = self._all([vector.copy() for vector in mine])
        out[...] = combine([vector.copy() for vectors in everything for vector in vectors])  # which may work in place

    def _all(self, mine: Any) -> list[Any]:
        self._board[self.rank] = mine
        self._barrier.wait(60)
        everything = list(self._board)
        self._barrier.wait(60)
        return everything


def on_ranks(size: int, work: Callable[[ThreadRanks], Result]) -> list[Result]:
    """Do the work on every rank and return what each made of it."""
    board, barrier = [None] * size, Barrier(size)
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda rank: work(ThreadRanks(rank, size, board, barrier)), range(size)))
