"""One micro-batch on its way through the whole network and back, segment by segment."""

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.engine.batch import MicroBatch
from cnnbp.engine.machine import OVERFLOWING, unpacked_multiplications
from cnnbp.engine.memory import Memory
from cnnbp.engine.tree import GradientSum
from cnnbp.losses import Loss
from cnnbp.network import Network, Node
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Tape

Segment = tuple[Node, ...]


class Pass:
    """One micro-batch of a batch. `agreed` is what the last meeting point gave, None where there was none yet."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        params: Parameters,
        state: Tensors,
        images: MicroBatch,
        stream: tuple[int, int, int],
        memory: Memory,
    ) -> None:
        self.network, self.loss, self.params, self.state = network, loss, params, state
        self.images, self.stream, self.memory = images, stream, memory
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
            unpacked=unpacked_multiplications(),
        )

    @property
    def gradient(self) -> Parameters:
        """∂L/∂θ of these images; made when backward begins."""
        if self._gradient is None:
            self._gradient = self.memory.take_gradient(self.params)
        return self._gradient

    @OVERFLOWING
    def forward(self, segment: Segment, agreed: Array | None, meeting: Node) -> Array:
        """Run a segment; return the share of the statistics that the meeting point behind it needs."""
        self._run(segment, agreed)
        return self.tape.statistics(meeting)

    @OVERFLOWING
    def turn(self, segment: Segment, agreed: Array | None, size: int, total: GradientSum) -> Array:
        """Run the last segment, the loss, and the segment back; `size` is the whole batch's M."""
        logits = self._run(segment, agreed)
        losses, cache = self.loss.forward(logits, self.images.labels)
        self.outcome = np.array((losses, self.loss.predictions(logits) == self.images.labels))  # (2, m)
        self.tape.gradients[segment[-1].index] = self.loss.backward(cache, size)
        return self._unwind(segment, total)

    @OVERFLOWING
    def backward(self, segment: Segment, agreed: Array, meeting: Node, total: GradientSum) -> Array:
        """Run a segment back, once the sums of the meeting point behind it are known."""
        self.tape.apply_gradient(meeting, agreed)
        return self._unwind(segment, total)

    def _run(self, segment: Segment, agreed: Array | None) -> Array:
        if agreed is None:
            return self.tape.forward(segment)
        self.tape.apply(segment[0], agreed)
        return self.tape.forward(segment[1:]) if len(segment) > 1 else self.tape.values[segment[0].index]

    def _unwind(self, segment: Segment, total: GradientSum) -> Array:
        """Run a segment back to its coupled node and return that node's share of sums, nothing for the first."""
        if segment and segment[0].is_coupled:
            self.tape.backward(segment[1:], self.gradient)
            return self.tape.gradient_statistics(segment[0], self.gradient)
        self.tape.backward(segment, self.gradient)
        self.memory.return_tape(self.tape)
        self._tape = None  # what did not come from the arena goes now, not at the end of the step
        total.add(self.stream[2], self.gradient)
        return np.empty(0)
