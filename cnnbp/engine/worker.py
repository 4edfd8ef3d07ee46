"""One process's share in a batch: its run of the micro-batches, and the sums that it makes with the other ranks."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np

from cnnbp.arrays import Array
from cnnbp.engine.batch import Inference, MicroBatch, StepResult
from cnnbp.engine.machine import OVERFLOWING, unpacked_multiplications
from cnnbp.engine.memory import Memory
from cnnbp.engine.passes import Pass, Segment
from cnnbp.engine.ranks import Ranks
from cnnbp.engine.tree import Division, GradientSum
from cnnbp.layers import CoupledLayer
from cnnbp.losses import Loss
from cnnbp.network import Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import coupled, infer

Work = TypeVar("Work")
Result = TypeVar("Result")


class Worker:
    """Runs a rank's micro-batches of the batches that all ranks do together, one after the other."""

    def __init__(self, network: Network, loss: Loss, seed: int, ranks: Ranks, memory: Memory) -> None:
        self.network, self.loss, self.seed, self.ranks, self.memory = network, loss, seed, ranks, memory
        self._segments = _segments(network.nodes)

    def step(
        self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch], division: Division, step: int
    ) -> StepResult:
        """Take part in a training step, given this rank's micro-batches and how all are divided."""
        passes = [
            Pass(self.network, self.loss, params, state, images, (self.seed, step, ordinal), self.memory)
            for ordinal, images in enumerate(batch, division.first)
        ]
        new_state, agreed = dict(state), None
        for segment, (meeting, *_) in pairwise(self._segments):
            shares = self.map(partial(Pass.forward, segment=segment, agreed=agreed, meeting=meeting), passes)
            agreed = division.sum(shares, coupled(meeting).combine)
            new_state[meeting.name] = coupled(meeting).updated_state(state[meeting.name], agreed)
        total = GradientSum(division, self.memory)
        turn = partial(Pass.turn, segment=self._segments[-1], agreed=agreed, size=division.size, total=total)
        sums = self.map(turn, passes)
        for segment, (meeting, *_) in reversed(list(pairwise(self._segments))):
            agreed = division.sum(sums, np.add)
            back = partial(Pass.backward, segment=segment, agreed=agreed, meeting=meeting, total=total)
            sums = self.map(back, passes)
        gradient = self.memory.lend_gradient(total.total(params))
        losses, correct = self._gathered([p.outcome for p in passes], division, params)
        return StepResult(losses, int(np.count_nonzero(correct)), gradient, new_state)

    def infer(self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch], division: Division) -> Inference:
        """Take part in an inference."""
        table = self._gathered(self.map(partial(self._outputs, params, state), batch), division, params)
        return Inference(table[:-1], table[-1])

    @OVERFLOWING
    def _outputs(self, params: Parameters, state: Tensors, images: MicroBatch) -> Array:
        """Return the logits and, below them, the losses (K + 1, m)."""
        logits = infer(self.network, params, state, images.x, unpacked_multiplications())
        losses, _ = self.loss.forward(logits, images.labels)
        return np.vstack([logits, losses])

    def _gathered(self, tables: Sequence[Array], division: Division, params: Parameters) -> Array:
        """Put the tables (n, m) of all ranks' micro-batches side by side, (n, M)."""
        mine = np.concatenate(tables, axis=1).T if tables else np.empty(0, params.vector.dtype)
        return np.ascontiguousarray(self.ranks.conclude(mine, division.images).T)

    def map(self, function: Callable[[Work], Result], work: Sequence[Work]) -> list[Result]:
        """Apply the function to each piece; results in the order of the pieces."""
        return [function(piece) for piece in work]


def _segments(nodes: Segment) -> tuple[Segment, ...]:
    """Cut before each coupled node: every segment but the first begins with one."""
    cuts = [0, *(node.index for node in nodes if isinstance(node.layer, CoupledLayer)), len(nodes)]
    return tuple(nodes[start:end] for start, end in pairwise(cuts))
