"""A training step as it is timed: the real engine over one batch again and again, and its layers one by one.

The update has a rate of 0: parameters that stay where they are give every step the same work.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.config import Config
from cnnbp.engine import Engine, MicroBatch, micro_batch_size
from cnnbp.engine.machine import unpacked_multiplications
from cnnbp.inspect.images import Images
from cnnbp.network import INPUT, Node
from cnnbp.parameters import Parameters
from cnnbp.tape import Tape

DTYPE = np.float32  # what training computes in


class TrainingStep:
    """One step on the engine, update included."""

    def __init__(self, config: Config, images: Images, engine: Engine) -> None:
        self.engine, self.optimizer = engine, config.train.optimizer
        network, self.size = engine.network, len(images.labels)
        self.batch = _cut(images, micro_batch_size(network, self.size))
        self.params, self.state = network.initial_parameters(config.seed, DTYPE), network.initial_state()
        self.slots = self.optimizer.slots(self.params.vector.size, self.params.vector.dtype)
        self.decays, self.count = network.decays(DTYPE), 0

    def __call__(self) -> None:
        self.count += 1
        result = self.engine.step(self.params, self.state, self.batch, self.count)
        self.state = result.state
        self.update(result.gradient)

    def update(self, gradient: Parameters) -> None:
        """Take the optimizer's part."""
        vector, count = self.params.vector, max(self.count, 1)
        self.optimizer.step(vector, gradient.vector, self.decays, self.slots, lr=0.0, count=count)


class LayerClock:
    """The same step on one core, node by node; `seconds[i]` are those of call i: nodes × (forward, backward).

    A node that needs the whole batch is given a micro-batch at a time, which is the same work.
    """

    def __init__(self, step: TrainingStep) -> None:
        self.step, self.network, self.loss = step, step.engine.network, step.engine.loss
        self.arena, self.gradient = Arena(), self.network.layout.zeros(DTYPE)
        self.seconds: list[Array] = []
        self.loss_seconds: list[float] = []
        self.update_seconds: list[float] = []

    def __call__(self) -> None:
        spent, in_loss = np.zeros((len(self.network.nodes), 2)), 0.0
        for ordinal, images in enumerate(self.step.batch):
            in_loss += self._pass(images, ordinal, spent)
        started = perf_counter()
        self.step.update(self.gradient)
        self.update_seconds.append(perf_counter() - started)
        self.seconds.append(spent)
        self.loss_seconds.append(in_loss)

    def _pass(self, images: MicroBatch, ordinal: int, spent: Array) -> float:
        """Run a micro-batch forward and backward; return the seconds in the loss."""
        self.arena.reset()
        tape = _ClockedTape(
            self.network,
            self.step.params,
            self.step.state,
            images.x,
            self.arena,
            stream=(0, 0, ordinal),
            unpacked=unpacked_multiplications(),
            spent=spent,
        )
        logits = tape.forward(self.network.nodes)
        started = perf_counter()
        _, cache = self.loss.forward(logits, images.labels)
        tape.gradients[len(self.network.nodes) - 1] = self.loss.backward(cache, self.step.size)
        seconds = perf_counter() - started
        tape.backward(self.network.nodes, self.gradient)
        return seconds


class _ClockedTape(Tape):
    """Adds what each node takes to `spent`."""

    def __init__(self, *args: Any, spent: Array, **options: Any) -> None:
        super().__init__(*args, **options)
        self.spent = spent

    def forward(self, nodes: Sequence[Node]) -> Array:
        y = self.values[INPUT]
        for node in nodes:
            started = perf_counter()
            y = super().forward((node,))
            self.spent[node.index, 0] += perf_counter() - started
        return y

    def backward(self, nodes: Sequence[Node], gradient: Parameters) -> None:
        for node in reversed(nodes):
            started = perf_counter()
            super().backward((node,), gradient)
            self.spent[node.index, 1] += perf_counter() - started


def _cut(images: Images, size: int) -> list[MicroBatch]:
    starts = range(0, len(images.labels), size)
    return [
        MicroBatch(np.ascontiguousarray(images.x[..., i : i + size], DTYPE), images.labels[i : i + size])
        for i in starts
    ]
