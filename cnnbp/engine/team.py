"""A team: processes of one machine that do a batch side by side, where threads would share one interpreter.

The leader is the process that has the batch. It forks the members once and hands each its run of the micro-batches on
a board that all of them see; what else they have to tell each other goes through pipes. Each is a rank (`ranks.py`)
and runs the same step. A member holds nothing that the leader has not, so a team may be given up at any time.
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
from cnnbp.engine.board import Board, Posted
from cnnbp.engine.fork import LOST, ended_if_not_all, fork, portable, received
from cnnbp.engine.memory import Memory
from cnnbp.engine.ranks import Alone, Combine, runs
from cnnbp.engine.tree import Division
from cnnbp.engine.worker import Result, Worker
from cnnbp.errors import CnnbpError
from cnnbp.parameters import Parameters, Tensors


class TeamRanks(Alone):
    """One process of a team. The leader, rank 0, has a pipe to each member, and a member one to the leader.

    Ranks beyond those that are counted have nothing to do.
    """

    def __init__(self, rank: int, pipes: Sequence[Connection], board: Board) -> None:
        self.rank, self.size, self.pipes, self.board = rank, max(rank, len(pipes)) + 1, pipes, board
        self._row_of = {id(gradient.vector): row for row, gradient in enumerate(board.gradients)}

    def gather(self, mine: Array, counts: Sequence[int]) -> Array:
        """Return every rank's rows, below each other."""
        if self.rank:
            [leader] = self.pipes
            leader.send(mine)
            return leader.recv()
        rows = self.conclude(mine, counts)
        for pipe in self.pipes[: len(counts) - 1]:
            pipe.send(rows)
        return rows

    def conclude(self, mine: Array, counts: Sequence[int]) -> Array:
        """Return every rank's rows to the leader, a member its own: only the leader goes on with them."""
        if self.rank:
            self.pipes[0].send(mine)
            return mine
        return np.concatenate([mine, *self._answers(counts)])

    def combine(self, mine: Sequence[Array], counts: Sequence[int], combine: Combine, out: Array) -> None:
        """Write to the leader's `out` what `combine` makes of all vectors; those of members lie on the board."""
        if self.rank:
            self.pipes[0].send([self._row_of[id(vector)] for vector in mine])
        else:
            rows = [row for answer in self._answers(counts) for row in answer]
            super().combine([*mine, *(self.board.gradients[row].vector for row in rows)], counts, combine, out)

    def _answers(self, counts: Sequence[int]) -> list[Any]:
        """Return what the members send. Raises what one of them raised, EOFError for one that is no more."""
        return [received(pipe) for pipe in self.pipes[: len(counts) - 1]]


@dataclass(frozen=True, slots=True)
class Task:
    """What a member is to do: a method of its worker, for these micro-batches, and how many each rank has."""

    work: Callable[..., object]
    state: Tensors
    batch: Sequence[Posted]
    key: tuple[int, ...]
    leaves: tuple[int, ...]
    images: tuple[int, ...]


class Team:
    """The leader's side of a team, whose batches are no larger than the first one."""

    def __init__(self, leader: Worker, size: int, params: Parameters, batch: Sequence[MicroBatch]) -> None:
        """Form a team of `size` around a worker. Raises OSError where the system gives no memory or no process."""
        self._size, each = size, _most_gradients(batch, size)
        self._board = board = Board(params, batch, (size - 1) * each)
        with ended_if_not_all() as self._members:
            for rank in range(1, size):
                memory = Memory(board.gradients[(rank - 1) * each : rank * each])
                self._members.append(fork(partial(_serve, leader, rank, board, memory)))
        self._pipes = [member.pipe for member in self._members]
        self._worker = _rank_like(leader, TeamRanks(0, self._pipes, board), leader.memory)

    def suits(self, params: Parameters, batch: Sequence[MicroBatch]) -> bool:
        """Tell whether there is room for a batch."""
        return self._board.has_room(params, batch, (self._size - 1) * _most_gradients(batch, self._size))

    def do(
        self, work: Callable[..., Result], params: Parameters, state: Tensors, batch: Sequence[MicroBatch], *key: int
    ) -> Result:
        """Let each do its part of a batch, `work` being a method of Worker; return what the leader's gives.

        Raises what any of them raised, CnnbpError for a member that is no more. After that the team is of no use.
        """
        parts = [[batch[place] for place in run] for run in runs(len(batch), min(self._size, len(batch)))]
        leaves = tuple(map(len, parts))
        images = tuple(sum(len(micro_batch.labels) for micro_batch in part) for part in parts)
        self._board.params.vector[...] = params.vector
        posted = iter(self._board.show(batch[leaves[0] :]))
        try:
            for pipe, count in zip(self._pipes, leaves[1:], strict=False):
                pipe.send(Task(work, state, list(islice(posted, count)), key, leaves, images))
            division = Division(self._worker.ranks, leaves, images)
            return work(self._worker, params, state, parts[0], division, *key)
        except (EOFError, ConnectionError) as error:
            raise CnnbpError(f"one of the processes that share the work {LOST}") from error

    def close(self) -> None:
        """End the members."""
        for member in self._members:
            member.end()


def _rank_like(worker: Worker, ranks: TeamRanks, memory: Memory) -> Worker:
    return Worker(worker.network, worker.loss, worker.seed, ranks, memory, worker.planner)


def _serve(like: Worker, rank: int, board: Board, memory: Memory, leader: Connection) -> None:
    """Do what the leader says until it closes the pipe."""
    ranks = TeamRanks(rank, [leader], board)
    worker = _rank_like(like, ranks, memory)
    while True:
        try:
            task: Task = leader.recv()
        except EOFError:
            return
        batch = [board.read(posted) for posted in task.batch]
        division = Division(ranks, task.leaves, task.images)
        try:
            task.work(worker, board.params, task.state, batch, division, *task.key)
        except Exception as error:
            leader.send(portable(error))


def _most_gradients(batch: Sequence[MicroBatch], size: int) -> int:
    """Return how many gradients a member of a team holds at most.

    Two sums on each level of their tree, a new one and a lent one; with batch norm all micro-batches have one at once.
    """
    return 2 * (len(batch).bit_length() + 1) + -(-len(batch) // size)
