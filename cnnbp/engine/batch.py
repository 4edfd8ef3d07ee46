"""What goes into the engine and what comes out: micro-batches, and the results of a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.network import Network, Node
from cnnbp.parameters import Parameters, Tensors

MICRO_BATCH_BYTES = 4 << 20  # what the largest value of one micro-batch may take: its neighbours fit the caches, too


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Some images of a batch and their class indices (m,).

    `images` are x (C, H, W, m), contiguous, or what `prepare` makes x of with an arena's help. Then the process that
    runs the micro-batch does that work, too, on its own core; as it may be another one, `prepare` can be pickled.
    """

    images: Array
    labels: Array
    prepare: Callable[[Array, Arena], Array] | None = None

    @property
    def x(self) -> Array:
        """The images as the network reads them, made anew each time they are asked for."""
        return self.prepared(Arena())

    def prepared(self, arena: Arena) -> Array:
        """Return x; the arena's memory is free again afterwards."""
        if self.prepare is None:
            return self.images
        with arena.scratch():
            return self.prepare(self.images, arena)


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a batch gives: each image's loss (M,), how many were classified right, ∂L/∂θ, the new running statistics."""

    losses: Array
    correct: int
    gradient: Parameters
    state: Tensors

    @property
    def loss(self) -> float:
        """The mean over the batch."""
        return float(self.losses.mean(dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Inference:
    """What a batch gives outside of training: logits (K, M) and each image's loss (M,)."""

    logits: Array
    losses: Array


def micro_batch_size(network: Network, batch_size: int) -> int:
    """Return how many images make a micro-batch: a power of two that keeps its values in cache, at most a batch.

    Depends on the network and the batch size alone, never on the machine.
    """
    widest = 4 * max(prod(network.input_shape), *(prod(node.output_shape) for node in network.nodes))
    size = 1
    while size < batch_size and 2 * size * widest <= MICRO_BATCH_BYTES:
        size *= 2
    return min(size, batch_size)


def values_in_use(node: Node) -> int:
    """Return how many numbers a layer handles for one image: its inputs, their windows and its output."""
    window = node.layer.window(node.input_shapes[0])
    columns = prod(window.kernel) * node.input_shapes[0][0] * prod(node.output_shape[1:]) if window else 0
    return sum(map(prod, node.input_shapes)) + prod(node.output_shape) + columns
