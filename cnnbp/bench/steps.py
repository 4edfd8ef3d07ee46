"""A training step as it is timed: the real engine over one batch again and again, and its layers one by one.

The update has a rate of 0: parameters that stay where they are give every step the same work.
"""

from time import perf_counter

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.config import Config
from cnnbp.engine import Engine, MicroBatch, micro_batch_size
from cnnbp.fast import Operation
from cnnbp.inspect.images import Images
from cnnbp.parameters import Parameters
from cnnbp.tape import Tape

DTYPE = np.float32  # what training computes in


class TrainingStep:
    """One step on the engine, update included."""

    def __init__(self, config: Config, images: Images, engine: Engine) -> None:
        self.engine, self.optimizer, self.planner = engine, config.train.optimizer, config.train.planner
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
    """The same step on one core, by operations; `seconds[i]` are those of call i: nodes × (forward, backward).

    What is done together is counted for one of its nodes, `Operation.owner`.
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
        clock, params, state = _Clock(spent), self.step.params, self.step.state
        stream, planner = (0, 0, ordinal), self.step.planner
        tape = Tape(self.network, params, state, images.x, self.arena, stream=stream, planner=planner, observer=clock)
        clock.start()
        logits = tape.forward()
        started = perf_counter()
        _, cache = self.loss.forward(logits, images.labels)
        tape.gradients[len(self.network.nodes) - 1] = self.loss.backward(cache, self.step.size)
        seconds = perf_counter() - started
        tape.backward(self.gradient)
        clock.stop()
        return seconds


class _Clock:
    """Adds what each operation takes to its owner's row of `spent` (nodes × 2)."""

    def __init__(self, spent: Array) -> None:
        self._spent = spent
        self._since, self._running = 0.0, 0

    def start(self) -> None:
        self._since = perf_counter()

    def forward(self, tape: Tape, operation: Operation) -> None:
        now = perf_counter()
        self._spent[operation.owner.index, 0] += now - self._since
        self._since = perf_counter()

    def backward(self, tape: Tape, operation: Operation) -> None:
        if operation is not tape.plan.operations[-1]:  # whose predecessor is the loss
            self.stop()
        self._running, self._since = operation.owner.index, perf_counter()

    def stop(self) -> None:
        """Backward an operation ends where the next one begins, or here."""
        self._spent[self._running, 1] += perf_counter() - self._since


def _cut(images: Images, size: int) -> list[MicroBatch]:
    starts = range(0, len(images.labels), size)
    return [
        MicroBatch(np.ascontiguousarray(images.x[..., i : i + size], DTYPE), images.labels[i : i + size])
        for i in starts
    ]
