"""A team: processes of one machine that do a batch side by side, where threads would share one interpreter.

The leader is the process that has the batch. It forks the members once and gives each its run of the micro-batches in
memory that all of them see (`shared_memory.py`); what else they have to tell each other goes through pipes. They share
a batch as all processes do (`ranks.py`). A member holds nothing that the leader has not, so a team may be ended at any
time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.engine.batch import MicroBatch
from cnnbp.engine.fork import LOST, ended_if_not_all, fork, portable, received
from cnnbp.engine.free_list import FreeList
from cnnbp.engine.ranks import Combine, combine_into, runs
from cnnbp.engine.shared_memory import SharedImages, SharedMemory
from cnnbp.engine.tree import Division
from cnnbp.engine.worker import Result, Worker
from cnnbp.errors import CnnbpError
from cnnbp.parameters import Parameters, Tensors


class TeamSharing:
    """How one process of a team shares. The leader, rank 0, has a pipe to each member, and a member one to the leader.

    Gradients are not sent: they lie in the shared memory. Ranks beyond those that are counted have nothing to do.
    """

    def __init__(self, rank: int, pipes: Sequence[Connection], shared: SharedMemory) -> None:
        self.rank, self.size, self.pipes, self.shared = rank, max(rank, len(pipes)) + 1, pipes, shared
        self._row_of = {id(gradient.vector): row for row, gradient in enumerate(shared.gradients)}

    def gather(self, mine: Array, counts: Sequence[int]) -> Array:
        """Return every rank's rows, below each other."""
        if self.rank:
            [leader] = self.pipes
            leader.send(mine)
            return leader.recv()
        rows = self.gather_results(mine, counts)
        for pipe in self.pipes[: len(counts) - 1]:
            pipe.send(rows)
        return rows

    def gather_results(self, mine: Array, counts: Sequence[int]) -> Array:
        """Return every rank's rows to the leader, which alone uses them, and its own to a member."""
        if self.rank:
            self.pipes[0].send(mine)
            return mine
        return np.concatenate([mine, *self._answers(counts)])

    def combine(self, mine: Sequence[Array], counts: Sequence[int], combine: Combine, out: Array) -> None:
        """Write to the leader's `out` what `combine` makes of all vectors; the members' are in shared memory."""
        if self.rank:
            self.pipes[0].send([self._row_of[id(vector)] for vector in mine])
        else:
            rows = [row for answer in self._answers(counts) for row in answer]
            combine_into(out, [*mine, *(self.shared.gradients[row].vector for row in rows)], combine)

    def _answers(self, counts: Sequence[int]) -> list[Any]:
        """Return what the members send. Raises what one of them raised, EOFError for one that is no more."""
        return [received(pipe) for pipe in self.pipes[: len(counts) - 1]]


@dataclass(frozen=True, slots=True)
class Task:
    """What a member is to do: a method of its worker, for these micro-batches, and how many each rank has."""

    work: Callable[..., object]
    state: Tensors
    batch: Sequence[SharedImages]
    key: tuple[int, ...]
    leaves: tuple[int, ...]
    images: tuple[int, ...]


class Team:
    """The leader's side of a team, whose batches are no larger than the first one."""

    def __init__(self, leader: Worker, size: int, params: Parameters, batch: Sequence[MicroBatch]) -> None:
        """Form a team of `size` around a worker. Raises OSError where the system gives no memory or no process."""
        self._size, each = size, _most_gradients(batch, size)
        self._shared = shared = SharedMemory(params, batch, (size - 1) * each)
        with ended_if_not_all() as self._members:
            for rank in range(1, size):
                free = FreeList(shared.gradients[(rank - 1) * each : rank * each])
                self._members.append(fork(partial(_serve, leader, rank, shared, free)))
        self._pipes = [member.pipe for member in self._members]
        self._worker = _worker_like(leader, TeamSharing(0, self._pipes, shared), leader.free)

    def suits(self, params: Parameters, batch: Sequence[MicroBatch]) -> bool:
        """Tell whether there is room for a batch."""
        return self._shared.has_room(params, batch, (self._size - 1) * _most_gradients(batch, self._size))

    def do(
        self, work: Callable[..., Result], params: Parameters, state: Tensors, batch: Sequence[MicroBatch], *key: int
    ) -> Result:
        """Let each do its part of a batch, `work` being a method of Worker; return what the leader's gives.

        Raises what any of them raised, CnnbpError for a member that is no more. After that the team is of no use.
        """
        parts = [[batch[place] for place in run] for run in runs(len(batch), min(self._size, len(batch)))]
        leaves = tuple(map(len, parts))
        images = tuple(sum(len(micro_batch.labels) for micro_batch in part) for part in parts)
        self._shared.params.vector[...] = params.vector
        written = iter(self._shared.write(batch[leaves[0] :]))
        try:
            for pipe, count in zip(self._pipes, leaves[1:], strict=False):
                pipe.send(Task(work, state, list(islice(written, count)), key, leaves, images))
            division = Division(self._worker.sharing, leaves, images)
            return work(self._worker, params, state, parts[0], division, *key)
        except (EOFError, ConnectionError) as error:
            raise CnnbpError(f"one of the processes that share the work {LOST}") from error

    def close(self) -> None:
        """End the members."""
        for member in self._members:
            member.end()


def _worker_like(worker: Worker, sharing: TeamSharing, free: FreeList) -> Worker:
    return Worker(worker.network, worker.loss, worker.seed, sharing, free, worker.planner)


def _serve(like: Worker, rank: int, shared: SharedMemory, free: FreeList, leader: Connection) -> None:
    """Do what the leader says until it closes the pipe."""
    sharing = TeamSharing(rank, [leader], shared)
    worker = _worker_like(like, sharing, free)
    while True:
        try:
            task: Task = leader.recv()
        except EOFError:
            return
        batch = [shared.read(images) for images in task.batch]
        division = Division(sharing, task.leaves, task.images)
        try:
            task.work(worker, shared.params, task.state, batch, division, *task.key)
        except Exception as error:
            leader.send(portable(error))


def _most_gradients(batch: Sequence[MicroBatch], size: int) -> int:
    """Return how many gradients a member of a team holds at most.

    Two sums on each level of their tree, a new one and a lent one; with batch norm all micro-batches have one at once.
    """
    return 2 * (len(batch).bit_length() + 1) + -(-len(batch) // size)
