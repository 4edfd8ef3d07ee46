"""The engine: a batch on threads, and on ranks."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from cnnbp.arrays import Array
from cnnbp.engine.batch import Inference, MicroBatch, StepResult
from cnnbp.engine.machine import OVERFLOWING, one_blas_thread, unpacked_multiplications
from cnnbp.engine.memory import Memory
from cnnbp.engine.passes import Pass, Segment
from cnnbp.engine.ranks import ALONE, Ranks
from cnnbp.engine.tree import Division, GradientSum
from cnnbp.layers import CoupledLayer
from cnnbp.losses import Loss
from cnnbp.network import Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import coupled, infer

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Work = TypeVar("Work")
Result = TypeVar("Result")


class Engine:
    """Runs batches through a network. A context manager: inside it BLAS has one thread, which keeps the bits."""

    def __init__(
        self, network: Network, loss: Loss, *, threads: int | None = None, seed: int = 0, ranks: Ranks = ALONE
    ) -> None:
        self.network, self.loss, self.seed, self.ranks = network, loss, seed, ranks
        self.threads = threads or ranks.cores
        self.segments = _segments(network.nodes)
        self.memory = Memory()
        self._resources = ExitStack()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._resources.enter_context(one_blas_thread())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()
        self._pool = None

    def step(self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch], step: int = 0) -> StepResult:
        """Run one training batch forward and backward; `step` keys its random streams.

        Each rank gives its run of the micro-batches, and all get the result of the whole batch. The next step writes
        over its gradient.
        """
        division = self._divided(batch)
        passes = [
            Pass(self.network, self.loss, params, state, images, (self.seed, step, ordinal), self.memory)
            for ordinal, images in enumerate(batch, division.first)
        ]
        new_state, agreed = dict(state), None
        for segment, (meeting, *_) in pairwise(self.segments):
            shares = self._map(partial(Pass.forward, segment=segment, agreed=agreed, meeting=meeting), passes)
            agreed = division.sum(shares, coupled(meeting).combine)
            new_state[meeting.name] = coupled(meeting).updated_state(state[meeting.name], agreed)
        total = GradientSum(division, self.memory)
        turn = partial(Pass.turn, segment=self.segments[-1], agreed=agreed, size=division.size, total=total)
        sums = self._map(turn, passes)
        for segment, (meeting, *_) in reversed(list(pairwise(self.segments))):
            agreed = division.sum(sums, np.add)
            back = partial(Pass.backward, segment=segment, agreed=agreed, meeting=meeting, total=total)
            sums = self._map(back, passes)
        losses, correct = self._gathered([p.outcome for p in passes], division, params)
        return StepResult(losses, int(correct.sum()), self.memory.lend_gradient(total.total(params)), new_state)

    def infer(self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch]) -> Inference:
        """Run images through the network as it is used after training: running statistics, no dropout.

        Each rank gives its run of the micro-batches, and all get all results.
        """
        results = self._map(partial(self._infer, params, state), batch)
        table = self._gathered(results, self._divided(batch), params)
        return Inference(table[:-1], table[-1])

    @OVERFLOWING
    def _infer(self, params: Parameters, state: Tensors, images: MicroBatch) -> Array:
        """Return the logits and, below them, the losses (K + 1, m)."""
        logits = infer(self.network, params, state, images.x, unpacked_multiplications())
        losses, _ = self.loss.forward(logits, images.labels)
        return np.vstack([logits, losses])

    def _divided(self, batch: Sequence[MicroBatch]) -> Division:
        return Division.of(self.ranks, len(batch), sum(len(images.labels) for images in batch))

    def _gathered(self, tables: Sequence[Array], division: Division, params: Parameters) -> Array:
        """Put the tables (n, m) of all ranks' micro-batches side by side, (n, M)."""
        mine = np.concatenate(tables, axis=1).T if tables else np.empty(0, params.vector.dtype)
        return np.ascontiguousarray(self.ranks.gather(mine, division.images).T)

    def _map(self, function: Callable[[Work], Result], work: Sequence[Work]) -> list[Result]:
        """Apply the function to each piece, on threads where there are several; results in the order of the pieces."""
        if len(work) <= 1 or self.threads == 1:
            return [function(piece) for piece in work]
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # which loads logging, and few commands need it

            self._pool = self._resources.enter_context(ThreadPoolExecutor(self.threads, "cnnbp"))
        return list(self._pool.map(function, work))


def _segments(nodes: Segment) -> tuple[Segment, ...]:
    """Cut before each coupled node: every segment but the first begins with one."""
    cuts = [0, *(node.index for node in nodes if isinstance(node.layer, CoupledLayer)), len(nodes)]
    return tuple(nodes[start:end] for start, end in pairwise(cuts))
