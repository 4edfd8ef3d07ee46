"""A batch once more, node by node, with everything kept: to look at what the engine only passes through."""

from collections.abc import Sequence

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.engine import MicroBatch, tree_sum, unpacked_multiplications
from cnnbp.network import Node
from cnnbp.parameters import Parameters
from cnnbp.tape import Tape, coupled
from cnnbp.training.job import Job
from cnnbp.training.state import TrainingState


class Rerun:
    """The micro-batches of a step, in step with each other: they meet at every node that couples images.

    The cut and the random streams are the step's own, so dropout drops the same numbers.
    """

    def __init__(self, job: Job, state: TrainingState, batch: Sequence[MicroBatch], *, training: bool = True) -> None:
        self.job, self.batch, self.training = job, batch, training
        self.losses: list[Array] = []
        self.tapes = [
            Tape(
                job.config.network,
                state.parameters,
                state.running_statistics,
                micro_batch.x,
                Arena(),
                training=training,
                keep_everything=True,
                stream=(job.config.seed, state.step, ordinal),
                unpacked=unpacked_multiplications(),
            )
            for ordinal, micro_batch in enumerate(batch)
        ]
        self._gradients = [state.parameters.layout.zeros(state.parameters.vector.dtype) for _ in batch]

    def forward(self, node: Node) -> list[Array]:
        """Run one node, whose inputs are there; return its output (…, m) for each micro-batch."""
        if node.is_coupled and self.training:
            shares = [tape.statistics(node) for tape in self.tapes]
            agreed = tree_sum(shares, coupled(node).combine)
            for tape in self.tapes:
                tape.apply(node, agreed)
        else:
            for tape in self.tapes:
                tape.forward([node])
        return [tape.values[node.index] for tape in self.tapes]

    def turn(self) -> list[Array]:
        """Work out the losses (m,) of each micro-batch, and the gradient that goes back from them."""
        loss, last = self.job.engine.loss, self.job.config.network.nodes[-1].index
        size = sum(len(micro_batch.labels) for micro_batch in self.batch)
        for tape, micro_batch in zip(self.tapes, self.batch, strict=True):
            losses, cache = loss.forward(tape.values[last], micro_batch.labels)
            self.losses.append(losses)
            tape.gradients[last] = loss.backward(cache, size)
        return self.losses

    def backward(self, node: Node) -> dict[str, Array]:
        """Run one node back; return ∂L/∂θ of its parameters, summed over the micro-batches."""
        pairs = list(zip(self.tapes, self._gradients, strict=True))
        if node.is_coupled:
            sums = tree_sum([tape.gradient_statistics(node, gradient) for tape, gradient in pairs], np.add)
            for tape in self.tapes:
                tape.apply_gradient(node, sums)
        else:
            for tape, gradient in pairs:
                tape.backward([node], gradient)
        return {name: self._sum(node, name) for name in self._gradients[0][node.name]}

    def slopes(self, node: Node) -> list[Array]:
        """Return ∂L/∂y of a node's output (…, m) for each micro-batch, once all its readers have run back."""
        return [tape.gradients[node.index] for tape in self.tapes]

    def gradient(self) -> Parameters:
        """Return ∂L/∂θ of the batch, in the order in which the engine adds."""
        vector = tree_sum([gradient.vector for gradient in self._gradients], np.add)
        return Parameters(self._gradients[0].layout, vector)

    def _sum(self, node: Node, name: str) -> Array:
        return tree_sum([gradient[node.name][name] for gradient in self._gradients], np.add)
