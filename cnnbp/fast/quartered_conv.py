"""A small first convolution and the 2×2 max pool after it, done at once.

A network's first convolution sees few channels, so a pool's passes over its output take longer than the products. Each
of the four places of the pool's windows is therefore convolved apart. With the windows of x as columns, which may
stand in any order,

    z[q, p, h] = W cols[q, p, h]          (F, OW/2·M) for row h of the pool

where q and p are 0 or 1 for the even or odd columns and rows of the output, and each pass of the pool goes over whole
quarters of it. The columns stay until backward: there are fewer of them than numbers in the output.
"""

import numpy as np

from cnnbp.arrays import Array, Shape, pixels
from cnnbp.fast.kernels import pairs
from cnnbp.fast.kernels.padding import padded
from cnnbp.fast.kernels.pairs import Winners
from cnnbp.fast.kernels.products import multiply
from cnnbp.fast.operation import Replacement
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.layers.conv import Conv2d

_BYTES = 1 << 19  # of columns and output, which are made in one go: half of a small second-level cache


def fits_in_cache(conv: Conv2d, input_shape: Shape, M: int) -> bool:
    """Return whether a network's first convolution is done in quarters, where it may be done with its pool."""
    (F, OH, OW), (kh, kw) = conv.output_shape(input_shape), conv.kernel
    K = input_shape[0] * kh * kw
    return K < F and 4 * (K + F) * OH * OW * M <= _BYTES


class QuarteredConv2d(Replacement):
    """Same as Conv2d and then MaxPool2d of 2×2, by a convolution for each of the four places of the pool's windows.

    y = maxpool(W ⋆ x) + b: (C, H, W, M) → (filters, OH/2, OW/2, M). Adding b keeps order, so it may wait for the pool.
    There is no dx: a network's first layer needs none. Where the next convolution reads strips, y is in S strips,
    (OH/2, OW/2/S, filters, S·M).
    """

    kernel = "quarters, pools"

    def __init__(self, conv: Conv2d, input_shape: Shape, M: int, gives: int = 0) -> None:
        """`gives` says in how many strips y is; 0 for a feature map."""
        F, OH, OW = conv.output_shape(input_shape)
        OH, OW = OH // 2, OW // 2
        self.conv, self.window, self.gives = conv, conv.window(input_shape), gives
        self.output_shape = (OH, OW // gives, F, gives * M) if gives else (F, OH, OW, M)
        self.columns_shape = 2, 2, OH, input_shape[0], *conv.kernel, OW, M
        self.quarter = OH, F, OW * M
        self.rows_shape = OH, F, max(gives, 1), OW // max(gives, 1), M

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Winners]]:
        """Return y, and the cache that backward needs."""
        W, cols = params["W"], self._columns(x, ctx)
        y = ctx.empty(self.output_shape, np.result_type(W, x))
        winners = Winners(ctx.empty((1, 2, *self.quarter), np.bool_), ctx.empty((1, 1, *self.quarter), np.bool_))
        with ctx.arena.scratch():
            z = ctx.empty((2, 1, 2, *self.quarter), y.dtype)
            multiply(W.reshape(len(W), -1), cols, z.reshape(4, *self.quarter))
            largest = ctx.empty((1, 1, *self.quarter), y.dtype)
            pairs.maxima(z, largest, winners, z[1])
            b = params["b"][:, None, None, None] if self.conv.bias else 0
            np.add(largest.reshape(self.rows_shape), b, out=ctx.arena.view(self._in_rows, y))
        return y, (cols, winners)

    def backward(self, params: Params, cache: tuple[Array, Winners], dy: Array, ctx: Context) -> tuple[None, Gradients]:
        """Return None, as the gradient of the images is not needed, and ∂L/∂θ."""
        (cols, winners), dW = cache, ctx.accumulator("W", params["W"])
        with ctx.arena.scratch():
            largest = ctx.empty((1, 1, *self.quarter), dy.dtype)
            np.copyto(largest.reshape(self.rows_shape), self._in_rows(dy))
            dz = ctx.empty((2, 1, 2, *self.quarter), dy.dtype)
            pairs.give_back(winners, largest, dz, dz[1])
            shares = ctx.empty((4, self.quarter[0], len(dW), cols.shape[2]), dy.dtype)
            multiply(dz.reshape(4, *self.quarter), cols.swapaxes(2, 3), shares)
            np.add.reduce(shares.reshape(-1, *dW.shape), axis=0, out=dW)
            return None, {"W": dW, "b": np.einsum("hfn->f", largest[0, 0])} if self.conv.bias else {"W": dW}

    def winners(self, cache: tuple[Array, Winners]) -> Array:
        """Return the place of each window's maximum (filters, OH/2, OW/2, M)."""
        OH, F, S, w, M = self.rows_shape
        return pairs.places_of(cache[1]).reshape(OH, F, S * w, M).swapaxes(0, 1)

    def _in_rows(self, y: Array) -> Array:
        """View y as (OH/2, filters, S or 1, OW/2/S, M)."""
        OH, F, S, w, M = self.rows_shape
        if self.gives:
            return y.reshape(OH, w, F, S, M).transpose(0, 2, 3, 1, 4)
        return y.reshape(F, OH, S, w, M).swapaxes(0, 1)

    def _columns(self, x: Array, ctx: Context) -> Array:
        """Return the windows of x that each quarter sees in each row (4, OH/2, C·kH·kW, OW/2·M)."""
        cols = ctx.empty(self.columns_shape, x.dtype)
        with ctx.arena.scratch():
            xp = np.ascontiguousarray(padded(x, self.window, ctx))
            ctx.arena.view(pixels, cols)[...] = ctx.arena.view(self._windows, xp)
        return cols.reshape(4, len(cols[0, 0]), -1, self.quarter[2])

    def _windows(self, xp: Array) -> Array:
        """View the pixels that each quarter sees in each row."""
        channel, row, pixel, number = xp.strides
        strides = pixel, row, 2 * row, channel, row, pixel, 2 * pixel, number
        return pixels(np.ndarray(self.columns_shape, xp.dtype, xp, 0, strides))
