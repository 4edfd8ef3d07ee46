"""One micro-batch on its way through the whole network and back, segment by segment."""

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.engine.batch import MicroBatch
from cnnbp.engine.machine import OVERFLOWING
from cnnbp.engine.memory import Memory
from cnnbp.engine.tree import GradientSum
from cnnbp.fast import Operation, Planner
from cnnbp.losses import Loss
from cnnbp.network import Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Observer, Tape


class Pass:
    """One micro-batch of a batch, whose segments (`Plan.segments`) are run by number.

    `agreed` is what the whole batch's statistics, or sums, at the beginning of a segment are; None for the first one.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        params: Parameters,
        state: Tensors,
        images: MicroBatch,
        stream: tuple[int, int, int],
        memory: Memory,
        planner: Planner,
        observer: Observer | None,
    ) -> None:
        self.network, self.loss, self.params, self.state = network, loss, params, state
        self.images, self.stream, self.memory = images, stream, memory
        self.planner, self.observer = planner, observer
        self._tape: Tape | None = None  # no cached_property, as its lock would be one for all passes (Python 3.11)
        self._gradient: Parameters | None = None

    @property
    def tape(self) -> Tape:
        """Made by who comes first; one that is done with its images takes these."""
        if self._tape is None:
            self._tape = self._begun()
        return self._tape

    def _begun(self) -> Tape:
        if tape := self.memory.take_tape():
            tape.begin(self.params, self.state, self.images.prepared(tape.arena), self.stream)
            return tape
        arena = Arena()
        return Tape(
            self.network,
            self.params,
            self.state,
            self.images.prepared(arena),
            arena,
            stream=self.stream,
            planner=self.planner,
            observer=self.observer,
        )

    @property
    def gradient(self) -> Parameters:
        """∂L/∂θ of these images; made when backward begins."""
        if self._gradient is None:
            self._gradient = self.memory.take_gradient(self.params)
        return self._gradient

    @OVERFLOWING
    def forward(self, segment: int, agreed: Array | None) -> Array:
        """Run a segment; return the share of the statistics that the next one begins with."""
        self._run(segment, agreed)
        return self.tape.statistics(self._first(segment + 1))

    @OVERFLOWING
    def turn(self, segment: int, agreed: Array | None, size: int, total: GradientSum) -> Array:
        """Run the last segment, the loss, and the segment back; `size` is the whole batch's M."""
        logits = self._run(segment, agreed)
        losses, cache = self.loss.forward(logits, self.images.labels)
        self.outcome = np.array((losses, self.loss.predictions(logits) == self.images.labels))  # (2, m)
        self.tape.gradients[len(self.network.nodes) - 1] = self.loss.backward(cache, size)
        return self._unwind(segment, total)

    @OVERFLOWING
    def backward(self, segment: int, agreed: Array, total: GradientSum) -> Array:
        """Run a segment back, once the sums that the next one has begun with are known."""
        self.tape.apply_gradient(self._first(segment + 1), agreed)
        return self._unwind(segment, total)

    def _first(self, segment: int) -> Operation:
        return self.tape.plan.segments[segment][0]

    def _run(self, segment: int, agreed: Array | None) -> Array:
        operations = self.tape.plan.segments[segment]
        if agreed is None:
            return self.tape.forward(operations)
        y = self.tape.apply(operations[0], agreed)
        return self.tape.forward(operations[1:]) if len(operations) > 1 else y

    def _unwind(self, segment: int, total: GradientSum) -> Array:
        """Run a segment back to its coupled operation and return that one's share of sums, nothing for the first."""
        operations = self.tape.plan.segments[segment]
        if segment:
            self.tape.backward(self.gradient, operations[1:])
            return self.tape.gradient_statistics(operations[0], self.gradient)
        self.tape.backward(self.gradient, operations)
        self.memory.return_tape(self.tape)
        self._tape = None  # what did not come from the arena goes now, not at the end of the step
        total.add(self.stream[2], self.gradient)
        return np.empty(0)
