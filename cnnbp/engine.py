"""One batch → micro-batches on threads → one gradient, the same bits every time.

The unit of work is a micro-batch: it runs forward and backward on one thread, with one BLAS thread, in an arena of
its own. Their number follows from the network and the batch alone, and their gradients are added in a fixed binary
tree, so the result has the same bits on any number of cores (of one CPU type, with one BLAS build).

Batch norm needs the whole batch: the network is cut before each such node into segments, and every segment runs over
all micro-batches before the next one starts. Nothing waits inside a thread.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import pairwise
from math import prod
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from cnnbp.arrays import Arena, Array
from cnnbp.layers import CoupledLayer
from cnnbp.losses import Loss
from cnnbp.network import Network, Node
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Tape, coupled

Segment = tuple[Node, ...]
Leaf = TypeVar("Leaf")
Work = TypeVar("Work")
Result = TypeVar("Result")

MICRO_BATCH_BYTES = 8 << 20  # what the largest layer's windows of one micro-batch may take: fits the caches


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Some images of a batch: x (C, H, W, m), contiguous, and their class indices (m,)."""

    x: Array
    labels: Array


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


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which every product runs on the thread that asks for it."""
    return _blas().limit(limits=1, user_api="blas")


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def micro_batch_size(network: Network, batch_size: int) -> int:
    """Return how many images make a micro-batch: a power of two that keeps the widest layer in cache, at most a batch.

    Depends on the network and the batch size alone, never on the machine.
    """
    widest = max(4 * values_in_use(node) for node in network.nodes)
    size = 1
    while size < batch_size and 2 * size * widest <= MICRO_BATCH_BYTES:
        size *= 2
    return min(size, batch_size)


def values_in_use(node: Node) -> int:
    """Return how many numbers a layer handles for one image: its inputs, their windows and its output."""
    window = node.layer.window(node.input_shapes[0])
    columns = prod(window.kernel) * node.input_shapes[0][0] * prod(node.output_shape[1:]) if window else 0
    return sum(map(prod, node.input_shapes)) + prod(node.output_shape) + columns


def tree_sum(leaves: Sequence[Leaf], add: Callable[[Leaf, Leaf], Leaf]) -> Leaf:
    """Add neighbours until one is left: ((0+1)+(2+3))+4, always in this order."""
    while len(leaves) > 1:
        pairs = [add(left, right) for left, right in zip(leaves[::2], leaves[1::2], strict=False)]
        leaves = [*pairs, *leaves[2 * len(pairs) :]]
    return leaves[0]


class Engine:
    """Runs batches through a network. A context manager: inside it BLAS has one thread, which keeps the bits."""

    def __init__(self, network: Network, loss: Loss, *, threads: int | None = None, seed: int = 0) -> None:
        self.network, self.loss, self.seed = network, loss, seed
        self.threads = threads or available_cores()
        self.segments = _segments(network.nodes)
        self._arenas: list[Arena] = []
        self._resources = ExitStack()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        self._resources.enter_context(one_blas_thread())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()
        self._pool = None

    def step(self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch], step: int = 0) -> StepResult:
        """Run one training batch forward and backward; `step` keys its random streams."""
        passes = [
            _Pass(self, params, state, micro_batch, (self.seed, step, ordinal))
            for ordinal, micro_batch in enumerate(batch)
        ]
        new_state, agreed = dict(state), None
        for segment, (meeting, *_) in pairwise(self.segments):
            shares = self._map(partial(_Pass.forward, segment=segment, agreed=agreed, meeting=meeting), passes)
            agreed = tree_sum(shares, coupled(meeting).combine)
            new_state[meeting.name] = coupled(meeting).updated_state(state[meeting.name], agreed)
        size = sum(len(micro_batch.labels) for micro_batch in batch)
        shares = self._map(partial(_Pass.turn, agreed=agreed, size=size), passes)
        for segment, (meeting, *_) in reversed(list(pairwise(self.segments))):
            agreed = tree_sum(shares, np.add)
            shares = self._map(partial(_Pass.backward, segment=segment, agreed=agreed, meeting=meeting), passes)
        gradient = tree_sum([p.gradient for p in passes], _add_into_left)
        losses = np.concatenate([p.losses for p in passes])
        return StepResult(losses, sum(p.correct for p in passes), gradient, new_state)

    def infer(self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch]) -> Inference:
        """Run images through the network as it is used after training: running statistics, no dropout."""
        results = self._map(partial(self._infer, params, state), batch)
        logits = np.concatenate([logits for logits, _ in results], axis=1)
        return Inference(logits, np.concatenate([losses for _, losses in results]))

    def _infer(self, params: Parameters, state: Tensors, micro_batch: MicroBatch) -> tuple[Array, Array]:
        arena = self.take_arena()
        logits = Tape(self.network, params, state, micro_batch.x, arena, training=False).forward(self.network.nodes)
        losses, _ = self.loss.forward(logits, micro_batch.labels)
        self.return_arena(arena)
        return logits.copy(), losses

    def take_arena(self) -> Arena:
        """Return memory for one tape: some that an earlier one is done with, where there is any."""
        arena = self._arenas.pop() if self._arenas else Arena()
        arena.reset()
        return arena

    def return_arena(self, arena: Arena) -> None:
        """Say that nothing in the arena is needed any more."""
        self._arenas.append(arena)

    def _map(self, function: Callable[[Work], Result], work: Sequence[Work]) -> list[Result]:
        """Apply the function to each piece, on threads where there are several; results in the order of the pieces."""
        if len(work) == 1 or self.threads == 1:
            return [function(piece) for piece in work]
        if self._pool is None:
            self._pool = self._resources.enter_context(ThreadPoolExecutor(self.threads, "cnnbp"))
        return list(self._pool.map(function, work))


class _Pass:
    """One micro-batch on its way through all segments and back. `agreed` is what the last meeting point gave."""

    def __init__(
        self, engine: Engine, params: Parameters, state: Tensors, images: MicroBatch, stream: tuple[int, int, int]
    ) -> None:
        self.engine, self.params, self.state, self.images, self.stream = engine, params, state, images, stream
        self.gradient = params.layout.zeros(params.vector.dtype)

    @cached_property
    def tape(self) -> Tape:
        arena = self.engine.take_arena()
        return Tape(self.engine.network, self.params, self.state, self.images.x, arena, stream=self.stream)

    def forward(self, segment: Segment, agreed: Array | None, meeting: Node) -> Array:
        """Run a segment; return the share of the statistics that the meeting point behind it needs."""
        self._run(segment, agreed)
        return self.tape.statistics(meeting)

    def turn(self, agreed: Array | None, size: int) -> Array:
        """Run the last segment, the loss, and the segment back; `size` is the whole batch's M."""
        segment, loss = self.engine.segments[-1], self.engine.loss
        logits = self._run(segment, agreed)
        self.losses, cache = loss.forward(logits, self.images.labels)
        self.correct = int((loss.predictions(logits) == self.images.labels).sum())
        self.tape.gradients[segment[-1].index] = loss.backward(cache, size)
        return self._unwind(segment)

    def backward(self, segment: Segment, agreed: Array, meeting: Node) -> Array:
        """Run a segment back, once the sums of the meeting point behind it are known."""
        self.tape.apply_gradient(meeting, agreed)
        return self._unwind(segment)

    def _run(self, segment: Segment, agreed: Array | None) -> Array:
        if agreed is None:
            return self.tape.forward(segment)
        self.tape.apply(segment[0], agreed)
        return self.tape.forward(segment[1:]) if len(segment) > 1 else self.tape.values[segment[0].index]

    def _unwind(self, segment: Segment) -> Array:
        """Run a segment back to its coupled node; return that node's share of sums, nothing for the first segment."""
        if segment is not self.engine.segments[0]:
            self.tape.backward(segment[1:], self.gradient)
            return self.tape.gradient_statistics(segment[0], self.gradient)
        self.tape.backward(segment, self.gradient)
        self.engine.return_arena(self.tape.arena)
        del self.tape  # what did not come from the arena goes now, not at the end of the step
        return np.empty(0)


def _segments(nodes: Segment) -> tuple[Segment, ...]:
    """Cut before each coupled node: every segment but the first begins with one."""
    cuts = [0, *(node.index for node in nodes if isinstance(node.layer, CoupledLayer)), len(nodes)]
    return tuple(nodes[start:end] for start, end in pairwise(cuts))


def _add_into_left(left: Parameters, right: Parameters) -> Parameters:
    left.vector += right.vector
    return left


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()
