"""A layer as a pair of functions of its parameters and inputs, called as training calls it."""

from collections.abc import Callable, Mapping
from typing import Any

from cnnbp.arrays import Array
from cnnbp.gradcheck.foreign.pair import Pair
from cnnbp.layers import Context, PiecewiseLayer
from cnnbp.layers.base import Params
from cnnbp.network import Node


def tells_its_pieces(node: Node) -> bool:
    """Tell whether a layer is known to be smooth, or says where it is not: cnnbp's own forward, or a piecewise one."""
    own = type(node.layer).forward.__module__.startswith("cnnbp.")
    return own or isinstance(node.layer, PiecewiseLayer)


def pair_of(node: Node, params: Params, xs: tuple[Array, ...], context: Callable[[], Context]) -> Pair:
    """Return the layer as functions of its parameters and inputs (…, M), in a context that is new in each call."""
    names = (*params, *input_names(len(xs)))

    def forward(*arrays: Any) -> tuple[Any, Any]:
        theta, inputs = dict(zip(params, arrays, strict=False)), arrays[len(params) :]
        y, cache = node.layer.forward(theta, inputs[0] if len(inputs) == 1 else inputs, context())
        return y, (theta, cache)

    def backward(dy: Any, kept: Any) -> Mapping[str, Any]:
        theta, cache = kept
        dx, gradients = node.layer.backward(theta, cache, dy, context())
        dxs = (dx,) if len(xs) == 1 else dx
        return {**gradients, **dict(zip(input_names(len(xs)), dxs, strict=True))}

    return Pair(node.name, forward, backward, names, (*params.values(), *xs), range(len(names)), node)


def input_names(count: int) -> tuple[str, ...]:
    """Return what a layer's inputs are called."""
    return ("x",) if count == 1 else tuple(f"x{i + 1}" for i in range(count))
