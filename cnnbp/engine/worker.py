"""One process's share in a batch: its micro-batches forward and back, and the sums that it makes with the others."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.engine.batch import Inference, MicroBatch, StepResult
from cnnbp.engine.free_list import FreeList, arena_of
from cnnbp.engine.machine import OVERFLOWING
from cnnbp.engine.ranks import Sharing
from cnnbp.engine.tree import Division, GradientSum
from cnnbp.fast import Operation, Planner
from cnnbp.layers import CoupledLayer
from cnnbp.losses import Loss
from cnnbp.network import Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Observer, Tape, infer

Work = TypeVar("Work")
Result = TypeVar("Result")


class Worker:
    """Runs a process's micro-batches of the batches that all processes do together, one after the other."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        seed: int,
        sharing: Sharing,
        free: FreeList,
        planner: Planner,
        observer: Observer | None = None,
    ) -> None:
        """An observer is shown the operations of one micro-batch after the other."""
        self.network, self.loss, self.seed, self.sharing, self.free = network, loss, seed, sharing, free
        self.planner, self.observer = planner, observer
        self._coupled = [(node.name, node.layer) for node in network.nodes if isinstance(node.layer, CoupledLayer)]

    def step(
        self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch], division: Division, step: int
    ) -> StepResult:
        """Take part in a training step, given this process's micro-batches and how all are divided.

        The network is cut before each layer that couples images. All micro-batches are run up to there, and from their
        shares follow the statistics of the whole batch; on the way back, the sums that ∂L/∂x needs, in the same way.
        """
        passes = [
            _Pass(self, params, state, images, (self.seed, step, ordinal))
            for ordinal, images in enumerate(batch, division.first)
        ]
        new_state, statistics = dict(state), None
        for segment, (name, layer) in enumerate(self._coupled):
            shares = self.map(partial(_Pass.forward, segment=segment, statistics=statistics), passes)
            statistics = division.sum(shares, layer.combine)
            new_state[name] = layer.updated_state(state[name], statistics)
        total, last = GradientSum(division, self.free), len(self._coupled)
        through_the_loss = partial(_Pass.through_the_loss, statistics=statistics, size=division.size, total=total)
        shares = self.map(through_the_loss, passes)
        for segment in reversed(range(last)):
            sums = division.sum(shares, np.add)
            shares = self.map(partial(_Pass.backward, segment=segment, sums=sums, total=total), passes)
        gradient = self.free.lend_gradient(total.total(params))
        losses, correct = self._gathered([each.outcome for each in passes], division, params)
        return StepResult(losses, int(np.count_nonzero(correct)), gradient, new_state)

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
        """Put the tables (n, m) of all processes' micro-batches side by side, (n, M)."""
        mine = np.concatenate(tables, axis=1).T if tables else np.empty(0, params.vector.dtype)
        return np.ascontiguousarray(self.sharing.gather_results(mine, division.images).T)

    def map(self, function: Callable[[Work], Result], work: Sequence[Work]) -> list[Result]:
        """Apply the function to each piece; results in the order of the pieces."""
        return [function(piece) for piece in work]


class _Pass:
    """One micro-batch on its way through the network and back, by its plan's segments."""

    def __init__(
        self,
        worker: Worker,
        params: Parameters,
        state: Tensors,
        images: MicroBatch,
        stream: tuple[int, int, int],
    ) -> None:
        self.worker, self.params, self.state, self.images, self.stream = worker, params, state, images, stream
        self._tape: Tape | None = None  # no cached_property, as its lock would be one for all passes (Python 3.11)
        self._gradient: Parameters | None = None

    @property
    def tape(self) -> Tape:
        """Made when the first segment is run; one that is done with its images takes these."""
        if self._tape is None:
            self._tape = self._begun()
        return self._tape

    def _begun(self) -> Tape:
        worker = self.worker
        if tape := worker.free.take_tape():
            tape.begin(self.params, self.state, self.images.prepared(arena_of(tape)), self.stream)
            return tape
        arena = Arena()
        return Tape(
            worker.network,
            self.params,
            self.state,
            self.images.prepared(arena),
            arena,
            stream=self.stream,
            planner=worker.planner,
            observer=worker.observer,
        )

    @property
    def gradient(self) -> Parameters:
        """∂L/∂θ of these images; made when backward begins."""
        if self._gradient is None:
            self._gradient = self.worker.free.take_gradient(self.params)
        return self._gradient

    @OVERFLOWING
    def forward(self, segment: int, statistics: Array | None) -> Array:
        """Run a segment, given the statistics that it begins with; return this share of the next one's."""
        self._run(segment, statistics)
        return self.tape.statistics(self._first(segment + 1))

    @OVERFLOWING
    def through_the_loss(self, statistics: Array | None, size: int, total: GradientSum) -> Array:
        """Run the last segment, the loss, and the segment back; `size` is the whole batch's M."""
        loss, last = self.worker.loss, len(self.tape.plan.segments) - 1
        logits = self._run(last, statistics)
        losses, cache = loss.forward(logits, self.images.labels)
        self.outcome = np.array((losses, loss.predictions(logits) == self.images.labels))  # (2, m)
        self.tape.gradients[len(self.worker.network.nodes) - 1] = loss.backward(cache, size)
        return self._run_back(last, total)

    @OVERFLOWING
    def backward(self, segment: int, sums: Array, total: GradientSum) -> Array:
        """Run a segment back, given the sums that ∂L/∂x of the operation after it needs."""
        self.tape.apply_gradient(self._first(segment + 1), sums)
        return self._run_back(segment, total)

    def _first(self, segment: int) -> Operation:
        return self.tape.plan.segments[segment][0]

    def _run(self, segment: int, statistics: Array | None) -> Array:
        operations = self.tape.plan.segments[segment]
        if statistics is None:
            return self.tape.forward(operations)
        y = self.tape.apply(operations[0], statistics)
        return self.tape.forward(operations[1:]) if len(operations) > 1 else y

    def _run_back(self, segment: int, total: GradientSum) -> Array:
        """Run a segment back to the operation that couples images, and return its share of sums; none for the first."""
        operations = self.tape.plan.segments[segment]
        if segment:
            self.tape.backward(self.gradient, operations[1:])
            return self.tape.gradient_statistics(operations[0], self.gradient)
        self.tape.backward(self.gradient, operations)
        self.worker.free.return_tape(self.tape)
        self._tape = None  # what did not come from the arena goes now, not at the end of the step
        total.add(self.stream[2], self.gradient)
        return np.empty(0)
