"""The analytic gradient once more, node by node on given branches, with something done to every number on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.computation import Computation
from cnnbp.layers import PiecewiseLayer
from cnnbp.layers.base import Params
from cnnbp.network import Node

Disturb = Callable[[Array], Array]


@dataclass(frozen=True)
class Gradients:
    """∂/∂θ by "node.tensor", and ∂/∂value by the value's index."""

    parameters: dict[str, Array]
    values: dict[int, Array]


def undisturbed(array: Array) -> Array:
    """Leave a number as it is."""
    return array


def replay(computation: Computation, caches: Mapping[int, Any], disturb: Disturb = undisturbed) -> Gradients:
    """Run forward and backward; every node reads disturbed values, and a disturbed gradient of its output.

    Piecewise layers are held on the computation's branches, and go backward from the given caches: a cache is where
    their branches are. What other layers cache is disturbed too: tanh's 1 − y² is all rounding where y is nearly 1.
    """
    return _Replay(computation, caches, disturb).gradients()


@dataclass(frozen=True)
class _Replay:
    computation: Computation
    caches: Mapping[int, Any]
    disturb: Disturb

    def gradients(self) -> Gradients:
        computation = self.computation
        values, caches = dict(computation.values), dict(self.caches)
        for node in computation.nodes:
            xs = tuple(self.disturb(values[i]) for i in node.inputs)
            values[node.index] = self._forward(node, xs[0] if len(xs) == 1 else xs, caches)
        y = values[computation.output]
        found = Gradients({}, {computation.output: computation.head.gradient(y, self.disturb)})
        for node in reversed(computation.nodes):
            self._backward(node, self._disturbed(node, caches[node.index]), values[node.inputs[0]], found)
        found.values.update({i: self.disturb(gradient) for i, gradient in found.values.items()})
        return found

    def _params(self, node: Node) -> Params:
        return self.computation.params[node.name]

    def _forward(self, node: Node, x: Any, caches: dict[int, Any]) -> Array:
        context = self.computation.context(node, Arena())
        if isinstance(node.layer, PiecewiseLayer):
            return node.layer.forward_on(self._params(node), x, self.computation.branches[node.index], context)
        y, caches[node.index] = node.layer.forward(self._params(node), x, context)
        return y

    def _backward(self, node: Node, cache: Any, x: Array, found: Gradients) -> None:
        dy = self.disturb(found.values[node.index])
        dx, tensors = node.layer.backward(self._params(node), cache, dy, self.computation.context(node, Arena()))
        found.parameters.update({f"{node.name}.{name}": self.disturb(array) for name, array in tensors.items()})
        if node.is_coupled:
            dx = self._shifted(dx, x)
        for value, dvalue in zip(node.inputs, dx if len(node.inputs) > 1 else (dx,), strict=True):
            so_far = found.values.get(value)
            found.values[value] = dvalue if so_far is None else so_far + dvalue

    def _disturbed(self, node: Node, cache: Any) -> Any:
        if isinstance(cache, np.ndarray):
            return self.disturb(cache) if cache.dtype.kind == "f" else cache
        if isinstance(cache, tuple) and not isinstance(node.layer, PiecewiseLayer):  # a pool's maxima must stay equal
            return tuple(self._disturbed(node, item) for item in cache)
        return cache

    def _shifted(self, dx: Array, x: Array) -> Array:
        """Disturb what a coupled layer subtracts, a mean and a multiple of x − μ: one error for a channel each."""
        places = tuple(range(1, dx.ndim))
        size = np.abs(dx).max(axis=places, keepdims=True)
        away = x - x.mean(axis=places, keepdims=True)
        away /= np.maximum(np.abs(away).max(axis=places, keepdims=True), np.finfo(float).tiny)
        shifted: Array = dx + (self.disturb(size) - size) + (self.disturb(size) - size) * away
        return shifted
