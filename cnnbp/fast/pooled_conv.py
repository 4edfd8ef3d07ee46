"""A convolution and the 2×2 max pool after it, done at once.

The convolution writes its even and its odd columns apart (`phases.py`), as the pool wants them (`pairs.py`). Of the
convolution's output only the maxima stay, and where they are.
"""

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.fast.kernels import pairs, phases, rows
from cnnbp.fast.kernels.convolve import ROWS, kernel_for
from cnnbp.fast.kernels.pairs import Winners
from cnnbp.fast.kernels.products import channel_sums
from cnnbp.fast.operation import Replacement
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.pooling import MaxPool2d


def pools_at_once(conv: Conv2d, pool: MaxPool2d, input_shape: Shape, M: int) -> bool:
    """Return whether a convolution of M images and the max pool after it are done at once."""
    F, OH, OW = shape = conv.output_shape(input_shape)
    even = OH % 2 == OW % 2 == input_shape[2] % 2 == 0
    kernel = kernel_for(conv.window(input_shape), conv.groups, (F, OH, OW, M))
    return even and pool.window(shape) == pairs.WINDOW and kernel is ROWS


class PooledConv2d(Replacement):
    """Same as Conv2d and then MaxPool2d of 2×2, by rows whose even and odd columns come apart, as pairs are compared.

    y = maxpool(W ⋆ x) + b: (C, H, W, M) → (filters, OH/2, OW/2, M). Adding b keeps order, so it may wait for the pool.
    """

    kernel = "rows, pools"

    def __init__(self, conv: Conv2d) -> None:
        self.conv = conv

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Winners]]:
        """Return y, and the cache that backward needs."""
        W, window, (_, height, width, M) = params["W"], self.conv.window(x.shape), x.shape
        F, (OH, OW) = len(W), window.positions((height, width))
        y = ctx.empty((F, OH // 2, OW // 2, M), np.result_type(W, x))
        winners = pairs.winners_of(y, ctx)
        with ctx.arena.scratch():
            z = ctx.empty((2, F, OH, OW // 2, M), y.dtype)
            rows.correlate(W, phases.split(x, ctx), window, z, ctx)
            pairs.maxima(z, y, winners, z[1])
        if self.conv.bias:
            y += params["b"][:, None, None, None]
        return y, (x, winners)

    def backward(
        self, params: Params, cache: tuple[Array, Winners], dy: Array, ctx: Context
    ) -> tuple[Array | None, Gradients]:
        """Return ∂L/∂x (None if the context does not want it) and ∂L/∂θ."""
        (x, winners), window = cache, self.conv.window(cache[0].shape)
        dx = ctx.empty(x.shape, dy.dtype) if ctx.wants_dx else None
        with ctx.arena.scratch():
            dz = ctx.empty((2, *winners.left.shape), dy.dtype)
            pairs.give_back(winners, dy, dz, dz[1])
            halves = None if dx is None else ctx.empty((2, *x.shape[:2], x.shape[2] // 2, x.shape[3]), dy.dtype)
            gradients = {"W": rows.gradients(params["W"], phases.split(x, ctx), dz, window, halves, ctx)}
            if dx is not None and halves is not None:
                phases.merge(halves, dx)
        if self.conv.bias:
            gradients["b"] = channel_sums(dy)
        return dx, gradients

    def winners(self, cache: tuple[Array, Winners]) -> Array:
        """Return the place of each window's maximum (filters, OH/2, OW/2, M)."""
        return pairs.places_of(cache[1])
