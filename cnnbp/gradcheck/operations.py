"""What trains, operation by operation: does each replacement give what the layers give that it stands for?

An operation gets what its layers read and are given back in the network as it is written, in float64, at a few images;
these take turns until there are as many as in a micro-batch of training, as kernels differ by its size. So whatever
others do an operation that is right is right to a few roundings, and one that is not is known by name.

Where an operation stands for several layers rounding may turn a ReLU, or let another number of a window win. Outputs at
which that may be are given no gradient, as either piece's would be right.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnnbp.arrays import Arena, Array, Shape
from cnnbp.fast import Operation, Plan
from cnnbp.fast.kernels import strips
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.deviation import ROUNDINGS, SINGLE_ROUNDOFF, Deviation, deviation, raised
from cnnbp.gradcheck.heads import InnerProductHead
from cnnbp.gradcheck.point import Point, as_computation
from cnnbp.gradcheck.rounding import Amplification
from cnnbp.gradcheck.workers import Workers
from cnnbp.layers import Context, PiecewiseLayer
from cnnbp.layers.activations import ReLU
from cnnbp.layers.pooling import MaxPool2d
from cnnbp.layers.windows import padded, places
from cnnbp.network import INPUT, Node
from cnnbp.tape import Tape

_Found = dict[str, Array]  # y, dx, dW, …


IMAGES = 3  # that take turns: no power of two, which layouts are made of
_MOVED = 1 / 32  # share by which ∂L/∂y are moved: where all are alike, as behind a mean, all round alike


def compare_operations(point: Point, plan: Plan, size: int, workers: Workers) -> Iterator[Deviation]:
    """Yield how far each operation that is not done as written is from its layers, tensor by tensor.

    The point is in float32; a few of its images fill micro-batches of `size`.
    """
    point = point.with_images(min(IMAGES, size)).astype(np.float64)
    tape, logits = point.forward()
    _, cache = point.loss.forward(logits, point.labels)
    point.backward(tape, point.loss.backward(cache, len(point.labels)))
    network = as_computation(point, tape)
    replaced = [operation for operation in plan.operations if operation.kernel]
    found = workers.map(lambda operation, arena: _Comparison(operation, network, tape, size).deviations(), replaced)
    for deviations in found:
        yield from deviations


@dataclass(frozen=True)
class _Comparison:
    """An operation beside the layers that it stands for, as these ran in `network` and on its `tape`."""

    operation: Operation
    network: Computation
    tape: Tape
    size: int

    def deviations(self) -> list[Deviation]:
        """Run it on a micro-batch, and compare everything that it returns; one that raises is wrong."""
        try:
            y, backward = self._run()
        except MemoryError:
            raise
        except Exception as error:
            return [raised(self._where, "y", error, self._allowed)]
        if y.shape != (*self._y.shape[:-1], len(self._turns)):
            return [self._deviation("y", y, self._y)]
        upstream = np.where(self._in_doubt(y), 0, self._upstream)
        try:
            found = {"y": y} | backward(upstream)
        except MemoryError:
            raise
        except Exception as error:
            return [raised(self._where, "dx", error, self._allowed)]
        exact = self._exact(upstream)
        return [self._deviation(name, array, exact[name]) for name, array in found.items()]

    def _deviation(self, name: str, found: Array, exact: Array) -> Deviation:
        looks = (
            lambda: self._amplified(name, self._amplification),
            lambda: self._amplified(name, self._amplification.closer),
        )
        return deviation(self._where, name, found, exact, self._allowed, *looks)

    @property
    def _where(self) -> tuple[str, str | None]:
        return self._owner.name, self.operation.kernel

    @property
    def _allowed(self) -> float:
        return ROUNDINGS * self.operation.roundings

    @property
    def _owner(self) -> Node:
        return self.operation.owner

    @property
    def _x(self) -> Array:
        return self.network.values[self.operation.inputs[0]]

    @property
    def _y(self) -> Array:
        return self.network.values[self.operation.output]

    @cached_property
    def _upstream(self) -> Array:
        dy = self.tape.gradients[self.operation.output]
        moved = dy * (1 + _MOVED * np.random.default_rng(self.operation.output).uniform(-1, 1, dy.shape))
        return moved.astype(np.float32).astype(np.float64)

    @cached_property
    def _turns(self) -> Array:
        """Which image is in each place of the micro-batch; each as often as the next, where they feel each other."""
        M = self._y.shape[-1]
        return np.arange(self.size - self.size % M if self.operation.is_coupled else self.size) % M

    @cached_property
    def _times(self) -> Array:
        """How often each image is in the micro-batch (M,)."""
        return np.bincount(self._turns, minlength=self._y.shape[-1])

    @cached_property
    def _amplification(self) -> Amplification:
        head = InnerProductHead(self._upstream * self._times, self._y)
        alone = replace(self.network, nodes=self.operation.nodes, head=head)
        return Amplification(alone, {node.index: self.tape.caches[node.index] for node in alone.nodes})

    def _amplified(self, name: str, amplification: Amplification) -> Array:
        if name == "y":
            return amplification.of_output(self.operation.nodes[-1])
        if name == "dx":
            return amplification.spread(lambda run: run.values[self.operation.inputs[0]]) / self._times
        return amplification.spread(lambda run: run.parameters[f"{self._owner.name}.{name[1:]}"])

    def _exact(self, upstream: Array) -> _Found:
        """Run the layers back; gradients of parameters are those of the whole micro-batch."""
        found, dx = {"y": self._y}, upstream * self._times
        for node in reversed(self.operation.nodes):
            params, context = self.network.params[node.name], self.network.context(node, Arena())
            dx, gradients = node.layer.backward(params, self.tape.caches[node.index], dx, context)
            found |= {f"d{name}": array for name, array in gradients.items()}
        return found | {"dx": dx / self._times}

    def _run(self) -> tuple[Array, Callable[[Array], _Found]]:
        """Run the operation forward in float32; return y, and how it goes back."""
        operation = self.operation
        params = {name: theta.astype(np.float32) for name, theta in self.network.params[self._owner.name].items()}
        context = Context(_Soiled(), training=True, wants_dx=operation.inputs != (INPUT,))
        context.accumulators = {name: np.full_like(theta, np.nan) for name, theta in params.items()}
        x = _cut(self._micro_batch(self._x), operation.takes, context)
        y, cache = operation.layer.forward(params, x, context)
        kept = _joined(y, operation.gives, context).copy()

        def backward(upstream: Array) -> _Found:
            dy = _cut(self._micro_batch(upstream), operation.gives, context)
            dx, gradients = operation.layer.backward(params, cache, dy, replace(context, may_overwrite=True))
            found = {f"d{name}": array for name, array in gradients.items()}
            return found if dx is None else {"dx": _joined(dx, operation.takes, context)} | found

        return kept, backward

    def _micro_batch(self, images: Array) -> Array:
        """Return images as they stand in a micro-batch (…, size)."""
        return np.take(images.astype(np.float32), self._turns, axis=-1)

    def _in_doubt(self, y: Array) -> Array:
        """Return at which outputs rounding may have chosen another piece than in the network as it is written."""
        nodes = self.operation.nodes
        place = next((i for i, node in enumerate(nodes) if isinstance(node.layer, PiecewiseLayer)), None)
        if place is None:
            return np.zeros(self._y.shape, bool)
        z = self.network.values[nodes[place].inputs[0]]
        if not place:
            return _may_change(nodes, z, 2 * SINGLE_ROUNDOFF * np.abs(z))
        seen = np.abs(y - self._y[..., self._turns]).max()  # what rounding did to the numbers that won
        off = max(4 * float(seen), 64 * SINGLE_ROUNDOFF * float(np.sqrt(np.mean(z * z))))
        return _may_change(nodes[place:], z, np.full(z.shape, off))


def _may_change(nodes: Sequence[Node], z: Array, off: Array) -> Array:
    """Return which outputs of ReLUs and a max pool may come from another number of z, were each off by so much."""
    second: Array | float = -np.inf
    for node in nodes:
        if isinstance(node.layer, MaxPool2d):
            window, out = node.layer.window(z.shape[:-1]), (node.output_shape[1], node.output_shape[2])
            z, second = _two_largest([view for _, _, view in places(padded(z, window, fill=-np.inf), window, out)])
            off, _ = _two_largest([view for _, _, view in places(padded(off, window), window, out)])
    tie = z - second < 2 * off
    if any(isinstance(node.layer, ReLU) for node in nodes):
        return (tie & (z > -off)) | (np.abs(z) < off)
    return tie


def _two_largest(views: Sequence[Array]) -> tuple[Array, Array | float]:
    ordered = np.sort(views, axis=0)
    return ordered[-1], ordered[-2] if len(views) > 1 else -np.inf


def _cut(x: Array, S: int, context: Context) -> Array:
    return strips.cut(x, S, context) if S else x


def _joined(x: Array, S: int, context: Context) -> Array:
    return strips.join(x, S, context) if S else x


class _Soiled(Arena):
    """Memory with NaN in it: what lies there from before must not matter."""

    def empty(self, shape: Shape, dtype: Any) -> Array:
        array = super().empty(shape, dtype)
        array.fill(np.nan if array.dtype.kind == "f" else 1)
        return array
