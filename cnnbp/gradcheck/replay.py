"""The analytic gradient once more, node by node on given branches, with something done to every number on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.computation import Computation
from cnnbp.layers import Context, CoupledLayer, PiecewiseLayer
from cnnbp.layers.base import Gradients, Params
from cnnbp.network import Node

Disturb = Callable[[Array], Array]


@dataclass(frozen=True)
class AllGradients:
    """∂/∂θ by "node.tensor", and ∂/∂value by the value's index; the values too, where they were computed anew."""

    parameters: dict[str, Array]
    values: dict[int, Array]
    outputs: dict[int, Array] = field(default_factory=dict)


def undisturbed(array: Array) -> Array:
    """Leave a number as it is."""
    return array


def replay(computation: Computation, caches: Mapping[int, Any], disturb: Disturb = undisturbed) -> AllGradients:
    """Run forward and backward; every node reads disturbed values, and a disturbed gradient of its output.

    Piecewise layers are held on the computation's branches, and go backward from the given caches: a cache is where
    their branches are. What other layers cache is disturbed too: tanh's 1 − y² is all rounding where y is nearly 1.
    Coupled layers read twice, for their statistics and to apply them: a rounded mean is off for all images alike.
    """
    kind = _Replay if disturb is undisturbed else _CoupledReadsTwice
    return kind(computation, caches, disturb).gradients()


@dataclass(frozen=True)
class _Replay:
    computation: Computation
    caches: Mapping[int, Any]
    disturb: Disturb

    def gradients(self) -> AllGradients:
        computation = self.computation
        values, caches = dict(computation.values), dict(self.caches)
        for node in computation.nodes:
            xs = tuple(self.disturb(values[i]) for i in node.inputs)
            values[node.index] = self._forward(node, xs[0] if len(xs) == 1 else xs, caches)
        y = values[computation.output]
        found = AllGradients({}, {computation.output: computation.head.gradient(y, self.disturb)}, values)
        for node in reversed(computation.nodes):
            self._backward(node, self._disturbed(node, caches[node.index]), found)
        found.values.update({i: self.disturb(gradient) for i, gradient in found.values.items()})
        return found

    def _forward(self, node: Node, x: Any, caches: dict[int, Any]) -> Array:
        context, params = self._context(node), self._params(node)
        if isinstance(node.layer, PiecewiseLayer):
            return node.layer.forward_on(params, x, self.computation.branches[node.index], context)
        y, caches[node.index] = self._run(node, x, context)
        return y

    def _backward(self, node: Node, cache: Any, found: AllGradients) -> None:
        dx, tensors = self._run_back(node, cache, self.disturb(found.values[node.index]), self._context(node))
        found.parameters.update({f"{node.name}.{name}": self.disturb(array) for name, array in tensors.items()})
        for value, dvalue in zip(node.inputs, dx if len(node.inputs) > 1 else (dx,), strict=True):
            so_far = found.values.get(value)
            found.values[value] = dvalue if so_far is None else so_far + dvalue

    def _run(self, node: Node, x: Any, context: Context) -> tuple[Array, Any]:
        return node.layer.forward(self._params(node), x, context)

    def _run_back(self, node: Node, cache: Any, dy: Array, context: Context) -> tuple[Any, Gradients]:
        return node.layer.backward(self._params(node), cache, dy, context)

    def _params(self, node: Node) -> Params:
        return self.computation.params[node.name]

    def _context(self, node: Node) -> Context:
        return self.computation.context(node, Arena())

    def _disturbed(self, node: Node, cache: Any) -> Any:
        if isinstance(cache, np.ndarray):
            return self.disturb(cache) if cache.dtype.kind == "f" else cache
        if isinstance(cache, tuple) and not isinstance(node.layer, PiecewiseLayer):  # a pool's maxima must stay equal
            return tuple(self._disturbed(node, item) for item in cache)
        return cache


class _CoupledReadsTwice(_Replay):
    """Coupled layers read what they are given once for their statistics and once more to apply them.

    The two readings are rounded apart, and so are the statistics: an error of the mean is one error for all images.
    """

    def _run(self, node: Node, x: Any, context: Context) -> tuple[Array, Any]:
        if not isinstance(node.layer, CoupledLayer):
            return super()._run(node, x, context)
        params = self._params(node)
        statistics = self.disturb(node.layer.statistics(params, x, context))
        return node.layer.apply(params, self.disturb(x), statistics, context)

    def _run_back(self, node: Node, cache: Any, dy: Array, context: Context) -> tuple[Any, Gradients]:
        if not isinstance(node.layer, CoupledLayer):
            return super()._run_back(node, cache, dy, context)
        params = self._params(node)
        sums, tensors = node.layer.gradient_statistics(params, cache, dy, context)
        return node.layer.apply_gradient(params, cache, self.disturb(dy), self.disturb(sums), context), tensors
