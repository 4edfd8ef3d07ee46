"""One process's share in a batch: its run of the micro-batches, and the sums that it makes with the other ranks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from cnnbp.arrays import Array
from cnnbp.engine.batch import Inference, MicroBatch, StepResult
from cnnbp.engine.machine import OVERFLOWING
from cnnbp.engine.memory import Memory
from cnnbp.engine.passes import Pass
from cnnbp.engine.ranks import Ranks
from cnnbp.engine.tree import Division, GradientSum
from cnnbp.fast import Planner
from cnnbp.layers import CoupledLayer
from cnnbp.losses import Loss
from cnnbp.network import Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Observer, infer

Work = TypeVar("Work")
Result = TypeVar("Result")


class Worker:
    """Runs a rank's micro-batches of the batches that all ranks do together, one after the other."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        seed: int,
        ranks: Ranks,
        memory: Memory,
        planner: Planner,
        observer: Observer | None = None,
    ) -> None:
        """An observer is shown the operations of one micro-batch after the other."""
        self.network, self.loss, self.seed, self.ranks, self.memory = network, loss, seed, ranks, memory
        self.planner, self.observer = planner, observer
        self._coupled = [(node.name, node.layer) for node in network.nodes if isinstance(node.layer, CoupledLayer)]

    def step(
        self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch], division: Division, step: int
    ) -> StepResult:
        """Take part in a training step, given this rank's micro-batches and how all are divided."""
        passes = [
            self._pass(params, state, images, (self.seed, step, ordinal))
            for ordinal, images in enumerate(batch, division.first)
        ]
        new_state, agreed = dict(state), None
        for segment, (name, layer) in enumerate(self._coupled):
            shares = self.map(partial(Pass.forward, segment=segment, agreed=agreed), passes)
            agreed = division.sum(shares, layer.combine)
            new_state[name] = layer.updated_state(state[name], agreed)
        total, last = GradientSum(division, self.memory), len(self._coupled)
        sums = self.map(partial(Pass.turn, segment=last, agreed=agreed, size=division.size, total=total), passes)
        for segment in reversed(range(last)):
            agreed = division.sum(sums, np.add)
            sums = self.map(partial(Pass.backward, segment=segment, agreed=agreed, total=total), passes)
        gradient = self.memory.lend_gradient(total.total(params))
        losses, correct = self._gathered([p.outcome for p in passes], division, params)
        return StepResult(losses, int(np.count_nonzero(correct)), gradient, new_state)

    def _pass(self, params: Parameters, state: Tensors, images: MicroBatch, stream: tuple[int, int, int]) -> Pass:
        return Pass(self.network, self.loss, params, state, images, stream, self.memory, self.planner, self.observer)

    def infer(self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch], division: Division) -> Inference:
        """Take part in an inference."""
        table = self._gathered(self.map(partial(self._outputs, params, state), batch), division, params)
        return Inference(table[:-1], table[-1])

    @OVERFLOWING
    def _outputs(self, params: Parameters, state: Tensors, images: MicroBatch) -> Array:
        """Return the logits and, below them, the losses (K + 1, m)."""
        logits = infer(self.network, params, state, images.x, self.planner, self.observer)
        losses, _ = self.loss.forward(logits, images.labels)
        return np.vstack([logits, losses])

    def _gathered(self, tables: Sequence[Array], division: Division, params: Parameters) -> Array:
        """Put the tables (n, m) of all ranks' micro-batches side by side, (n, M)."""
        mine = np.concatenate(tables, axis=1).T if tables else np.empty(0, params.vector.dtype)
        return np.ascontiguousarray(self.ranks.conclude(mine, division.images).T)

    def map(self, function: Callable[[Work], Result], work: Sequence[Work]) -> list[Result]:
        """Apply the function to each piece; results in the order of the pieces."""
        return [function(piece) for piece in work]
