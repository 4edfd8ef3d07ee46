"""The step that training would take, held to the network as it is written.

Training computes in float32, in micro-batches, on kernels that do several layers at once or with fewer multiplications,
and adds up what several processes found. Each operation is compared on its own, in micro-batches of the size that
training has, and then a whole step of the engine, over no more images than it takes to have the same kernels and
several micro-batches.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Literal

import numpy as np

from cnnbp.engine import Engine, micro_batch_size
from cnnbp.errors import CnnbpError
from cnnbp.fast import Plan, Planner, plan_for
from cnnbp.gradcheck.deviation import ROUNDINGS, Deviation, raised
from cnnbp.gradcheck.operations import IMAGES, compare_operations
from cnnbp.gradcheck.point import Point
from cnnbp.gradcheck.whole_step import ENGINE, compare_step
from cnnbp.gradcheck.workers import Workers
from cnnbp.network import Network, Node

MICRO_BATCHES = 5  # of a whole step, where training has so many: two for each of two processes, and an odd one
_WRITTEN = 8  # times what an image takes in training, as written and in float64
DTYPE = np.dtype(np.float32)  # what training computes in


@dataclass(frozen=True)
class Training:
    """What training would do: batches of `batch` images in micro-batches, planned by a planner and run by an engine."""

    batch: int
    micro_batch: int
    planner: Planner = plan_for
    engine: Callable[..., Engine] = Engine

    @classmethod
    def of(cls, network: Network, batch: int, planner: Planner = plan_for) -> "Training":
        """Return what training does with batches of a size."""
        return cls(batch, micro_batch_size(network, batch), planner)

    @property
    def micro_batches(self) -> int:
        """How many a batch is cut into."""
        return -(-self.batch // self.micro_batch)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How large micro-batches are: the last one of a batch may be smaller."""
        last = self.batch % self.micro_batch
        return (self.micro_batch, last) if last else (self.micro_batch,)

    def plan(self, network: Network, size: int | None = None) -> Plan:
        """Return the plan for micro-batches of a size, by default training's own."""
        return self.planner(network, size or self.micro_batch, DTYPE)

    def compared(self, network: Network) -> tuple[int, int]:
        """Return how many micro-batches of which size a whole step is compared on: the smallest with all kernels."""
        kernels = self.kernels(network).values()
        smaller = (1 << power for power in range(1, self.micro_batch.bit_length()))
        fitting = (m for m in smaller if set(kernels) <= set(self.kernels(network, m).values()))
        return min(self.micro_batches, MICRO_BATCHES), next(fitting, self.micro_batch)

    def cost(self, network: Network) -> int:
        """Return about how many images training takes forward and back in the time of a comparison."""
        count, size = self.compared(network)
        return count * size * (3 + _WRITTEN) + sum(size + min(IMAGES, size) * _WRITTEN for size in self.sizes)

    def kernels(self, network: Network, size: int | None = None) -> dict[str, str]:
        """Return the kernel of each node that is not done as written, by name."""
        operations = self.plan(network, size).operations
        return {operation.owner.name: operation.kernel for operation in operations if operation.kernel}


@dataclass(frozen=True)
class AsTrained:
    """What came of it: the kernels by node, how far each operation is, and a whole step of `compared` micro-batches.

    `kernels` leaves out nodes that are done as written; `step` is in the order in which its numbers were computed.
    """

    training: Training
    compared: tuple[int, int]
    kernels: Mapping[str, str]
    operations: tuple[Deviation, ...]
    step: tuple[Deviation, ...]
    seconds: float

    def only(self, nodes: Iterable[Node]) -> "AsTrained":
        """Return what there is about some nodes, and the engine."""
        names = {ENGINE, *(node.name for node in nodes)}
        operations, step = (
            tuple(deviation for deviation in found if deviation.node in names) for found in (self.operations, self.step)
        )
        return replace(self, operations=operations, step=step)

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """Fail where a number is further away than rounding takes it."""
        return "fail" if self.guilty else "pass"

    @property
    def worst(self) -> Deviation:
        """What is furthest away; where something is wrong, what the rest follows from."""
        furthest = max((*self.operations, *self.step), key=lambda deviation: deviation.gravity)
        return next(iter(self.guilty), furthest)

    @cached_property
    def guilty(self) -> tuple[Deviation, ...]:
        """What is wrong with operations alone; else the first wrong number of the step.

        Where every number on the way is right and no parameter's gradient is, it is the sum of them that is wrong.
        """
        alone = tuple(deviation for deviation in self.operations if deviation.wrong)
        if alone:
            return alone
        wrong = [deviation for deviation in self.step if deviation.wrong]
        sums = [deviation for deviation in self.step if deviation.of_parameter]
        if sums and [deviation for deviation in wrong if deviation.node != ENGINE] == sums:
            return (replace(wrong[0], node=ENGINE, kernel=None, tensor=f"∂L/∂{wrong[0].node}.{wrong[0].tensor[1:]}"),)
        return tuple(wrong[:1])

    @property
    def blame(self) -> tuple[str, ...]:
        """The nodes that are guilty, or the engine."""
        return tuple(dict.fromkeys(deviation.node for deviation in self.guilty))

    @property
    def hint(self) -> str | None:
        """What is wrong about the first one."""
        if not self.guilty:
            return None
        first, *others = [deviation for deviation in self.guilty if deviation.node == self.guilty[0].node]
        also = ", ".join(dict.fromkeys(other.tensor for other in others if other.tensor != first.tensor))
        return f"as trained, {first} {first.remark}" + (f"; wrong too: {also}" if also else "")


def check_as_trained(point: Point, training: Training, *, seed: int = 0, threads: int | None = None) -> AsTrained:
    """Compare the step that training would take with the network as it is written.

    The point's images take turns where it has fewer than the comparison takes. They and the parameters are moved a
    little, as numbers that are all alike round alike, and biases, γ and β a lot. Where an operation is wrong no step is
    taken: it would only show the same.
    """
    start, network = perf_counter(), point.network
    compared = count, size = training.compared(network)
    here = point.with_images(max(IMAGES, count * size)).beside().jittered(seed).astype(DTYPE)
    with Workers(threads) as workers:
        operations = tuple(
            found
            for size in training.sizes
            for found in compare_operations(here, training.plan(network, size), size, workers)
        )
    step: tuple[Deviation, ...] = ()
    if not any(found.wrong for found in operations):
        several = here.with_images(count * size - (size // 2 if len(training.sizes) > 1 else 0))
        engine = training.engine(network, point.loss, threads=threads, seed=seed, planner=training.planner)
        with engine, np.errstate(all="ignore"):
            step = tuple(_as_far_as_it_goes(compare_step(several, several.elsewhere(seed), size, engine, seed)))
    return AsTrained(training, compared, training.kernels(network), operations, step, perf_counter() - start)


def _as_far_as_it_goes(step: Iterator[Deviation]) -> Iterator[Deviation]:
    """Yield what is found; where the step raises, that is the engine's last."""
    try:
        yield from step
    except (CnnbpError, MemoryError):  # not of what is computed: no process, no memory
        raise
    except Exception as error:
        yield raised((ENGINE, None), "step", error, ROUNDINGS)
