"""A convolution over feature maps in strips, by Winograd's trick, and the 2×2 max pool after it.

Between two such convolutions feature maps stay in strips (`strips.py`); elsewhere they are (C, H, W, M) as everywhere.
Of the output of a convolution that is pooled only the maxima stay, and where they are: some rows of it at a time are
made and pooled while they are in the processor's cache.
"""

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.arrays import Array, Shape
from cnnbp.fast.kernels import pairs, phases, strips, winograd
from cnnbp.fast.kernels.padding import has_opposite
from cnnbp.fast.kernels.pairs import Winners
from cnnbp.fast.kernels.products import channel_sums
from cnnbp.fast.kernels.strips import Strips
from cnnbp.fast.operation import Replacement
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.pooling import MaxPool2d

_SEEN = 144  # channels times places of the kernel: with fewer, products save less than the sums around them take
_NUMBERS = 576  # and so many with their images: of few images strips are many, and their pixels slow to copy
_IMAGES = 16  # side by side, strips counted


def strips_of(conv: Conv2d, input_shape: Shape, M: int, dtype: DTypeLike) -> int:
    """Return in how many strips a convolution of M images is done; 0 if in another way."""
    (C, _, W), window = input_shape, conv.window(input_shape)
    (kh, kw), (left, right) = window.kernel, window.pad[1]
    seen = min(C, conv.filters) * kh * kw  # forward by an output, backward by an input
    large = seen >= _SEEN and seen * M >= _NUMBERS
    S = strips.strips_for(M, W, kw) if left + right == kw - 1 else 1  # strips of x are strips of y
    fits = has_opposite(window) and conv.groups == 1 and kh in winograd.KERNEL_ROWS and dtype == np.float32
    return S if fits and large and S * M >= _IMAGES else 0


def pools_in_strips(conv: Conv2d, pool: MaxPool2d, input_shape: Shape, S: int) -> bool:
    """Return whether a convolution that is done in S strips does the max pool after it as well."""
    _, OH, OW = shape = conv.output_shape(input_shape)
    return pool.window(shape) == pairs.WINDOW and OH % 2 == OW // S % 2 == 0


class StripConv2d(Replacement):
    """Same as Conv2d, or Conv2d and then MaxPool2d of 2×2, by less than half the multiplications (`winograd.py`).

    y = W ⋆ x + b, or maxpool(W ⋆ x) + b: adding b keeps order, so it may wait for the pool.
    """

    roundings = 2.5  # see tests/fast/test_strip_conv.py

    def __init__(self, conv: Conv2d, input_shape: Shape, S: int, *, pools: bool, takes: bool, gives: bool) -> None:
        """`takes` and `gives` say whether x and y are in strips; else they are feature maps (C, H, W, M)."""
        self.conv, self.S, self.pools, self.takes, self.gives = conv, S, pools, takes, gives
        self.kernel = "winograd, pools" if pools else "winograd"
        _, self.height, width = conv.output_shape(input_shape)
        self.window, self.width = conv.window(input_shape), width // S

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Strips, Winners | None]]:
        """Return y, and the cache that backward needs."""
        x = x if self.takes else strips.cut(x, self.S, ctx)
        y, winners = self._pooled(params["W"], x, ctx) if self.pools else (self._convolved(params["W"], x, ctx), None)
        return self._handed_on(y, params.get("b"), ctx), (x, winners)

    def _handed_on(self, y: Strips, b: Array | None, ctx: Context) -> Array:
        """Return y + b in the layout that the next operation reads."""
        if not self.gives:
            return strips.join(y, self.S, ctx) if b is None else strips.join_adding(y, b, self.S, ctx)
        if b is not None:
            y.reshape(-1, y[0, 0].size)[...] += np.repeat(b, y.shape[-1])
        return y

    def _convolved(self, W: Array, x: Strips, ctx: Context) -> Strips:
        weights, y = winograd.at_points(W), ctx.empty((self.height, self.width, len(W), x.shape[3]), x.dtype)
        for rows, seen in winograd.tiles(x, self.S, self.window, ctx):
            winograd.convolve(weights, seen, y[rows], ctx)
        return y

    def _pooled(self, W: Array, x: Strips, ctx: Context) -> tuple[Strips, Winners]:
        weights, F, N = winograd.at_points(W), len(W), x.shape[3]
        y = ctx.empty((self.height // 2, self.width // 2, F, N), x.dtype)
        winners = pairs.winners_of(_as_one_channel(y), ctx)
        for rows, seen in winograd.tiles(x, self.S, self.window, ctx):
            with ctx.arena.scratch():
                z = ctx.empty((rows.stop - rows.start, self.width, F, N), x.dtype)
                winograd.convolve(weights, seen, z, ctx)
                pooled = slice(rows.start // 2, rows.stop // 2)
                here = Winners(winners.left[:, rows], winners.top[:, pooled])
                even, odd = ctx.arena.view(_columns_apart, z)
                pairs.maxima((even, odd), _as_one_channel(y[pooled]), here, odd)
        return y, winners

    def backward(
        self, params: Params, cache: tuple[Strips, Winners | None], dy: Array, ctx: Context
    ) -> tuple[Array | None, Gradients]:
        """Return ∂L/∂x (None if the context does not want it) and ∂L/∂θ."""
        x, winners = cache
        dx = ctx.empty(x.shape, dy.dtype) if ctx.wants_dx else None
        with ctx.arena.scratch():
            dy_strips = dy if self.gives else strips.cut(dy, self.S, ctx)
            dz = dy_strips if winners is None else self._unpooled(winners, dy_strips, ctx)
            gradients = {"W": winograd.gradients(params["W"], x, dz, self.S, self.window, dx, ctx)}
        if self.conv.bias:
            gradients["b"] = strips.channel_sums(dy) if self.gives else channel_sums(dy)
        return dx if dx is None or self.takes else strips.join(dx, self.S, ctx), gradients

    def winners(self, cache: tuple[Strips, Winners | None]) -> Array:
        """Return the place of each window's maximum (filters, OH/2, OW/2, M)."""
        x, winners = cache
        assert winners is not None
        places = pairs.places_of(winners).reshape(self.height // 2, self.width // 2, -1, x.shape[3])
        return strips.join(places, self.S, Context())

    def _unpooled(self, winners: Winners, dy: Strips, ctx: Context) -> Strips:
        dz = ctx.empty((self.height, self.width, *dy.shape[2:]), dy.dtype)
        even, odd = ctx.arena.view(_columns_apart, dz)
        pairs.give_back(winners, _as_one_channel(dy), (even, odd), odd)
        return dz


def _as_one_channel(x: Strips) -> Array:
    """View strips (H, w, C, N) as a feature map (1, H, w, C·N): a pool does not care what is a channel."""
    H, width, C, N = x.shape
    return x.reshape(1, H, width, C * N)


def _columns_apart(x: Strips) -> tuple[Array, Array]:
    """View the even and the odd columns of strips as feature maps with one channel."""
    even, odd = phases.apart(_as_one_channel(x))
    return even, odd
