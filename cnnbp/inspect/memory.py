"""The memory of a training step, measured instead of modelled, so that it follows whatever layers and engine do.

What a network keeps for one image is read off a real forward pass of one micro-batch, which by its definition fits
the processor's caches. The peak of a whole step is what tracemalloc sees of real steps on the real engine, with all
micro-batches of a batch or, where they are many, with enough of them to know what each further one adds. The steps
run on threads, which one process can measure; what processes need besides is known.
"""

import tracemalloc
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from math import ceil, log2, prod
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from cnnbp.arrays import Arena, Array
from cnnbp.engine import Engine, MicroBatch, micro_batch_size, one_blas_thread
from cnnbp.fast import Planner, plan_for
from cnnbp.losses import Loss
from cnnbp.network import Network
from cnnbp.optimizers import Optimizer
from cnnbp.tape import Tape

DTYPE = np.float32  # what training computes in

_MOST_MACS = 20e9  # of the forward pass that measures what is kept: a second or two
_MEASURED_STEPS = 3
_MEASURED_MICRO_BATCHES = 32  # with half as many every thread has work, and a straight line goes on from there


@dataclass(frozen=True)
class KeptMemory:
    """Bytes per image that one node's forward adds to what earlier nodes hold: 0 where it works in place.

    None where a forward pass would take too long to measure them.
    """

    activation: int | None
    cache: int | None


@dataclass(frozen=True)
class StepMemory:
    """Bytes at the peak of a training step: parameters, optimizer, images, activations, caches and gradients."""

    batch: int
    micro_batch: int
    threads: int
    peak_bytes: int


def kept_memory(network: Network, batch_size: int, planner: Planner = plan_for) -> list[KeptMemory]:
    """Return what each node keeps until backward, from a forward pass of one micro-batch; not of a huge one.

    Of nodes that are done together one keeps everything, `Operation.owner`.
    """
    m = micro_batch_size(network, batch_size)
    if m * network.macs > _MOST_MACS:
        return [KeptMemory(None, None)] * len(network.nodes)
    params, x = network.layout.zeros(DTYPE), np.zeros((*network.input_shape, m), DTYPE)
    tape = Tape(network, params, network.initial_state(), x, Arena(), planner=planner)
    held = _Held()
    for array in (x, params.vector):
        held.added(array)
    with one_blas_thread():  # several take longer to wake than these products take
        tape.forward()
    kept = np.zeros((len(network.nodes), 2), np.int64)
    for column, arrays in enumerate((tape.values, tape.caches)):  # in this order: a cache may be a later value
        for operation in tape.plan.operations:
            kept[operation.owner.index, column] = held.added(arrays[operation.output])
    return [KeptMemory(ceil(value / m), ceil(cache / m)) for value, cache in kept.tolist()]


def step_memory(
    network: Network, loss: Loss, optimizer: Optimizer, batch_size: int, threads: int, planner: Planner = plan_for
) -> StepMemory:
    """Return the memory at the peak of a training step over `batch_size` images."""
    m = micro_batch_size(network, batch_size)
    step = _Step(network, loss, optimizer, m, threads, planner)
    measured = min(batch_size, m * max(_MEASURED_MICRO_BATCHES, 4 * threads))
    peak = step.peak(measured)
    if measured < batch_size:
        gradient = network.layout.size * np.dtype(DTYPE).itemsize  # each level of their tree lets one more wait
        alone = replace(step, threads=1)  # who waits for whom on several threads is chance, and would be multiplied
        per_image = (alone.peak(measured) - gradient - alone.peak(measured // 2)) / (measured // 2)
        peak += ceil(per_image * (batch_size - measured) + gradient * log2(batch_size / measured))
    if threads > 1 and batch_size > m:
        peak += _shared(network, batch_size - ceil(ceil(batch_size / m) / threads) * m)
    return StepMemory(batch_size, m, threads, peak)


def _shared(network: Network, images: int) -> int:
    """Return the bytes that processes see in common: the parameters, and the images of all but the first of them."""
    return (network.layout.size + prod(network.input_shape) * images) * np.dtype(DTYPE).itemsize


@dataclass(frozen=True)
class _Step:
    network: Network
    loss: Loss
    optimizer: Optimizer
    micro_batch: int
    threads: int
    planner: Planner

    def peak(self, images: int) -> int:
        """Return the peak of a few steps; by the last one all memory that is used again has found its size."""
        tracemalloc.start()
        try:
            self._run(images)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def _run(self, images: int) -> None:
        params, state = self.network.layout.zeros(DTYPE), self.network.initial_state()
        slots, decays = self.optimizer.slots(params.layout.size, params.vector.dtype), self.network.decays(DTYPE)
        loss = self.loss.balanced([1] * max(2, *self.network.output_shape))
        batch = list(self._batch(images))
        with Engine(self.network, loss, threads=self.threads, processes=False, planner=self.planner) as engine:
            for count in range(1, _MEASURED_STEPS + 1):
                result = engine.step(params, state, batch, count)
                self.optimizer.step(params.vector, result.gradient.vector, decays, slots, lr=0.0, count=count)
                del result

    def _batch(self, images: int) -> Iterator[MicroBatch]:
        for start in range(0, images, self.micro_batch):
            m = min(self.micro_batch, images - start)
            yield MicroBatch(np.zeros((*self.network.input_shape, m), DTYPE), np.zeros(m, np.intp))


class _Held:
    """The memory that is held so far, as disjoint stretches of addresses, in their order."""

    def __init__(self) -> None:
        self._stretches: list[tuple[int, int]] = []

    def added(self, value: Any) -> int:
        """Hold the arrays in a value as well; return how many bytes that adds."""
        return sum(self._add(*byte_bounds(array)) for array in _arrays(value))

    def _add(self, start: int, end: int) -> int:
        """Join a stretch with those that it touches; return how many bytes are new."""
        first = bisect_left(self._stretches, start, key=itemgetter(1))
        last = bisect_right(self._stretches, end, key=itemgetter(0))
        touched = self._stretches[first:last]
        known = sum(stop - begin for begin, stop in touched)
        start, end = min([start, *(begin for begin, _ in touched)]), max([end, *(stop for _, stop in touched)])
        self._stretches[first:last] = [(start, end)]
        return end - start - known


def _arrays(value: Any) -> Iterator[Array]:
    """Yield the arrays that a cache consists of."""
    match value:
        case np.ndarray():
            yield value
        case tuple() | list():
            for part in value:
                yield from _arrays(part)
        case None | bool() | int() | float() | np.generic():
            return
        case _ if is_dataclass(value):
            for field in fields(value):
                yield from _arrays(getattr(value, field.name))
        case _:
            raise TypeError(f"a cache of arrays, tuples and dataclasses was expected, not {type(value).__name__}")
