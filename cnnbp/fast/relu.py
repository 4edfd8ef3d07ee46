"""ReLU over the memory of its input, alone or after another operation."""

from math import prod
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.fast.operation import Replacement
from cnnbp.layers.base import Context, Gradients, Params

_SMALL = 4096  # numbers: below it a call costs more than its work


class InPlaceReLU(Replacement):
    """Same as ReLU, written over x where nothing reads that again; only y is kept, as y > 0 where x > 0."""

    kernel = "in place"
    caches_output = True

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        y = positive_part(x, _reusable(x, ctx))
        return y, y

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        return masked(dy, cache, _reusable(dy, ctx)), {}


class WithReLU(Replacement):
    """Same as a layer with ReLUs after it, or before a max pool that is part of it, by one in place at the end.

    max(0, ·) keeps order, so it may change places with a maximum, on fewer numbers. Where a tie is new, the numbers are
    0, and so is the gradient. The layer's y is its own: nothing else reads it.
    """

    caches_output = True

    def __init__(self, layer: Replacement) -> None:
        self.layer, self.kernel, self.roundings = layer, layer.kernel, layer.roundings

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Any]]:
        y, cache = self.layer.forward(params, x, ctx)
        return positive_part(y, y), (y, cache)

    def backward(
        self, params: Params, cache: tuple[Array, Any], dy: Array, ctx: Context
    ) -> tuple[Array | None, Gradients]:
        y, inner = cache
        return self.layer.backward(params, inner, masked(dy, y, _reusable(dy, ctx)), ctx)

    def winners(self, cache: tuple[Array, Any]) -> Array:
        """Return those of the layer."""
        return self.layer.winners(cache[1])


def positive_part(x: Array, out: Array) -> Array:
    """Write max(x, 0) to `out`. Against a row of zeros NumPy works on vectors; against one number it does not."""
    if x.size < _SMALL or not x.flags.c_contiguous:
        return np.maximum(x, 0, out=out)
    rows = x.reshape(-1, prod(x.shape[-2:]))
    np.maximum(rows, np.zeros(rows.shape[1], x.dtype), out=out.reshape(rows.shape))
    return out


def masked(dy: Array, y: Array, out: Array) -> Array:
    """Write dy where y > 0, and 0 elsewhere, to `out`."""
    return np.multiply(dy, y > 0, out=out)


def _reusable(x: Array, ctx: Context) -> Array:
    """Return where a result of x's size may be written: over x where nothing reads it again, else fresh memory."""
    return x if ctx.may_overwrite else ctx.empty(x.shape, x.dtype)
