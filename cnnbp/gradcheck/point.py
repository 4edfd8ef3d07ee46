"""Where a gradient is checked: a network and its loss, with parameters, running statistics and a batch."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.heads import LossHead
from cnnbp.layers import PiecewiseLayer
from cnnbp.layers.dropout import Dropout
from cnnbp.losses import Loss
from cnnbp.network import INPUT, Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Tape

JITTER = 0.5  # standard deviation of what is added to biases, γ and β
MOVED = 0.01  # the same of a point beside this one, as a share of the largest number


@dataclass(frozen=True)
class Point:
    """x is (C, H, W, M), labels (M,)."""

    network: Network
    loss: Loss
    params: Parameters
    state: Tensors
    x: Array
    labels: Array

    def astype(self, dtype: DTypeLike) -> Self:
        """Return the point with parameters and images in another dtype."""
        return replace(self, params=self.params.astype(dtype), x=self.x.astype(dtype))

    def jittered(self, seed: int) -> Self:
        """Move biases, γ and β away from 0 and 1, where a backward that forgets them is right by chance."""
        params, rng = self.params.copy(), np.random.default_rng([seed])
        for node in self.network.nodes:
            for name, spec in node.parameter_specs.items():
                if spec.fill is not None:
                    params[node.name][name][...] += JITTER * rng.normal(size=spec.shape)
        return replace(self, params=params)

    def beside(self) -> Self:
        """Move images and parameters by about a hundredth of their size: what ties at this point does not tie there."""
        rng, params = np.random.default_rng(0), self.params.copy()
        for array in (x := self.x.copy(), params.vector):
            array += MOVED * max(float(np.abs(array).max(initial=0)), 1.0) * rng.normal(size=array.shape)
        return replace(self, x=x, params=params)

    def with_images(self, count: int) -> Self:
        """Take so many images: the first ones, or all in turn."""
        turns = np.arange(count) % len(self.labels)
        return replace(self, x=np.ascontiguousarray(self.x[..., turns]), labels=self.labels[turns])

    def elsewhere(self, seed: int) -> Self:
        """Move far away, in parameters and in images: nothing is the same there."""
        there = replace(self, x=-self.x, labels=np.roll(self.labels, 1)).jittered(seed + 1)
        return replace(there, params=Parameters(self.params.layout, -there.params.vector))

    def without_dropout(self) -> Self:
        """Let nothing be dropped: images that come one by one would draw other masks than all at once."""
        network = self.network
        for node in network.nodes:
            if isinstance(node.layer, Dropout):
                network = network.with_layer(node.index, node.layer.model_copy(update={"p": 0.0}))
        return replace(self, network=network)

    def forward(self) -> tuple[Tape, Array]:
        """Run the network forward as in training, without reusing memory; return the tape and the logits (K, M)."""
        tape = Tape(self.network, self.params, self.state, self.x, Arena(), keep_everything=True)
        return tape, tape.forward()

    def backward(self, tape: Tape, dlogits: Array) -> Parameters:
        """Run backward from ∂L/∂logits; return ∂L/∂θ, and leave the gradients of values on the tape."""
        gradient = self.params.layout.zeros(self.params.vector.dtype)
        tape.gradients = [None] * len(tape.gradients)
        tape.gradients[self.network.nodes[-1].index] = dlogits
        tape.backward(gradient)
        return gradient


def as_computation(point: Point, tape: Tape) -> Computation:
    """Return a network as a tape has run it."""
    nodes = point.network.nodes
    return Computation(
        nodes,
        {node.name: point.params.of(node.name) for node in nodes},
        point.state,
        {INPUT: point.x} | {node.index: tape.values[node.index] for node in nodes},
        branches(tape),
        LossHead(point.loss, point.labels, tape.values[nodes[-1].index]),
    )


def branches(tape: Tape) -> dict[int, Array]:
    """Return the branches of every piecewise node, by index."""
    return {
        node.index: node.layer.branches(tape.params.of(node.name), tape.caches[node.index], tape.context(node))
        for node in tape.network.nodes
        if isinstance(node.layer, PiecewiseLayer)
    }
