"""Ranks that MPI has started (Message Passing Interface), on one machine or several. Needs mpi4py."""

import os
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from math import prod
from time import monotonic, sleep

import numpy as np
from mpi4py import MPI

from cnnbp.arrays import Array
from cnnbp.engine.machine import available_cores
from cnnbp.engine.ranks import Combine

_PAUSE = 0.01  # seconds between two looks at whether all have come
_LAST_WORDS = 0.2  # seconds for mpiexec to pass on what was said: what it has not read when it ends a rank is lost
_MOST_AXES = 8
_MOST_CORES = 8192  # of a host


class MpiRanks:
    """All processes of an mpiexec or srun. Arrays travel as they lie in memory; nothing is pickled."""

    def __init__(self) -> None:
        self._all = MPI.COMM_WORLD
        self._meetings = self._all.Dup()  # so that a meeting is never taken for another call
        self.rank, self.size = self._all.rank, self._all.size
        self.host = MPI.Get_processor_name()

    @cached_property
    def cores(self) -> int:
        """This rank's share, where it and others of its host may use the same ones. All ranks ask at once."""
        host = self._all.Split_type(MPI.COMM_TYPE_SHARED)
        allowed = np.zeros(_MOST_CORES, np.uint8)
        allowed[list(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(available_cores())] = 1
        host.Allreduce(MPI.IN_PLACE, allowed, MPI.MAX)
        return max(1, min(available_cores(), int(allowed.sum()) // host.size))

    def gather(self, mine: Array, counts: Sequence[int]) -> Array:
        """Return every rank's rows, below each other."""
        shape = mine.shape[1:] if min(counts) else self._shape_of_a_row(mine, counts)
        rows = np.empty((sum(counts), *shape), mine.dtype)
        self._all.Allgatherv(np.ascontiguousarray(mine), [rows, [count * prod(shape) for count in counts]])
        return rows

    gather_results = gather  # all ranks train on

    def _shape_of_a_row(self, mine: Array, counts: Sequence[int]) -> tuple[int, ...]:
        """Ask the first rank that has any."""
        header = np.zeros(_MOST_AXES, np.int64)  # how many axes, and their lengths
        if len(mine):
            header[: mine.ndim] = mine.ndim - 1, *mine.shape[1:]
        self._all.Bcast(header, next((rank for rank, count in enumerate(counts) if count), 0))
        axes, *lengths = header.tolist()
        return tuple(lengths[:axes])

    def combine(self, mine: Sequence[Array], counts: Sequence[int], combine: Combine, out: Array) -> None:
        """Combine all ranks' vectors: each rank does a slice of them, and gives it to all."""
        edges = [len(out) * rank // self.size for rank in range(self.size + 1)]
        slices = [slice(*ends) for ends in pairwise(edges)]
        lengths = np.diff(edges)
        sent = np.concatenate([vector[part] for part in slices for vector in mine]) if mine else out[:0]
        received = np.empty(sum(counts) * int(lengths[self.rank]), out.dtype)
        self._all.Alltoallv(
            [sent, (lengths * len(mine)).tolist()], [received, [count * int(lengths[self.rank]) for count in counts]]
        )
        share = combine(list(received.reshape(sum(counts), -1)))
        self._all.Allgatherv(share, [out, lengths.tolist()])

    def broadcast(self, content: bytes) -> bytes:
        """Return what rank 0 gave."""
        length = np.array([len(content)])
        self._all.Bcast(length)
        buffer = bytearray(content) if self.rank == 0 else bytearray(int(length[0]))
        self._all.Bcast([buffer, MPI.BYTE])
        return bytes(buffer)

    def any(self, flag: bool) -> bool:
        """Tell whether one of the ranks said yes."""
        answer = np.array([flag], np.uint8)
        self._all.Allreduce(MPI.IN_PLACE, answer, MPI.MAX)
        return bool(answer[0])

    def meet(self, seconds: float | None) -> bool:
        """Wait until all ranks are here, without keeping a core busy."""
        request, started = self._meetings.Ibarrier(), monotonic()
        while not request.Test():
            if seconds is not None and monotonic() - started > seconds:
                return False
            sleep(_PAUSE)
        return True

    def abort(self, code: int) -> None:
        """End all ranks at once; mpiexec returns the code."""
        sleep(_LAST_WORDS)
        self._all.Abort(code)
