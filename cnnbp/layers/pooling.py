"""Pooling: one number for each window of a channel."""

from functools import cache
from math import inf, prod
from typing import NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from cnnbp.arrays import Array, Shape
from cnnbp.layers.base import Context, Gradients, Layer, Params, PiecewiseLayer, Window
from cnnbp.layers.conv import require_feature_map
from cnnbp.layers.kernels import pairs
from cnnbp.layers.operators import Operator
from cnnbp.layers.windows import Pad, Size, output_size, padded, places, unpadded, window_over

_MaxPoolCache = tuple[Array, Array, Shape, pairs.Winners | None]  # padded x, y, the shape of x, where the maxima are


class _Work(NamedTuple):
    """What a pool has to do for one shape of x."""

    window: Window
    output_shape: Shape  # (C, OH, OW, M)
    by_pairs: bool  # whether its windows are those of the fast kernel


@cache
def _work(kernel: Size, stride: Size, pad: Pad, x_shape: Shape) -> _Work:
    """Work it out once, as every step asks for it."""
    C, H, W, M = x_shape
    window = window_over((H, W), kernel, stride, pad)
    return _Work(window, (C, *window.positions((H, W)), M), window == pairs.WINDOW)


class _Pool(Layer):
    """What the pools share: (C, H, W, M) → (C, OH, OW, M), OH = ⌊(H + pad − kernel)/stride⌋ + 1."""

    symbol = "F"

    kernel: Size = Field(description="Height and width of the window.")
    stride: Size | None = Field(default=None, description="Step of the window; by default the kernel: windows tile.")
    pad: Pad = Field(default=(0, 0), description="Places around the input: a number, [height, width], same or valid.")

    @model_validator(mode="after")
    def _every_window_sees_a_pixel(self) -> Self:
        if isinstance(self.pad, tuple) and not (self.pad[0] < self.kernel[0] and self.pad[1] < self.kernel[1]):
            raise ValueError(f"pad {list(self.pad)} must be smaller than kernel {list(self.kernel)}")
        return self

    def window(self, input_shape: Shape) -> Window:
        return window_over((input_shape[1], input_shape[2]), self.kernel, self.stride or self.kernel, self.pad)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        [input_shape] = input_shapes
        require_feature_map(self, input_shape)
        return (input_shape[0], *output_size(self, input_shape, self.window(input_shape)))


class MaxPool2d(_Pool, PiecewiseLayer):
    """y = the largest number of each window; padding counts as −∞.

    The gradient goes to where the maximum was; of tied ones the first in row-major window order gets it.
    """

    type = "maxpool2d"
    caches_output = True

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("MaxPool", attributes=self.window(input_shape).onnx_attributes()),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, _MaxPoolCache]:
        window, output_shape, by_pairs = _work(self.kernel, self.stride or self.kernel, self.pad, x.shape)
        y = ctx.empty(output_shape, x.dtype)
        if by_pairs:
            return y, (x, y, x.shape[:-1], pairs.pool(x, y, ctx))
        xp = padded(x, window, ctx, fill=-inf)
        y.fill(-inf)
        for _, _, view in places(xp, window, y.shape[1:3]):
            np.maximum(y, view, out=y)
        return y, (xp, y, x.shape[:-1], None)

    def backward(self, params: Params, cache: _MaxPoolCache, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        xp, y, input_shape, winners = cache
        if winners:
            dx = ctx.empty(xp.shape, dy.dtype)
            pairs.unpool(winners, dy, dx, ctx)
            return dx, {}
        window, dxp = self.window(input_shape), ctx.zeros(xp.shape, dy.dtype)
        free = np.ones(y.shape, bool)  # windows that have not given their gradient away yet
        for (_, _, view), (_, _, dview) in zip(
            places(xp, window, y.shape[1:3]), places(dxp, window, y.shape[1:3]), strict=True
        ):
            hit = (view == y) & free
            dview += hit * dy
            free ^= hit
        return unpadded(dxp, window), {}

    def branches(self, params: Params, cache: _MaxPoolCache, ctx: Context) -> Array:
        """Return the position of the maximum inside each window, row-major: (C, OH, OW, M)."""
        xp, y, input_shape, _ = cache
        window = self.window(input_shape)
        position = np.zeros(y.shape, np.min_scalar_type(prod(window.kernel)))
        views = [view for _, _, view in places(xp, window, y.shape[1:3])]
        for place in reversed(range(len(views))):  # the first of tied maxima is written last
            np.copyto(position, place, where=views[place] == y)
        return position

    def forward_on(self, params: Params, x: Array, branches: Array, ctx: Context) -> Array:
        window = self.window(x.shape[:-1])
        y = ctx.empty(branches.shape, x.dtype)
        views = places(padded(x, window, ctx, fill=-inf), window, branches.shape[1:3])
        for position, (_, _, view) in enumerate(views):
            np.copyto(y, view, where=branches == position)
        return y


class AvgPool2d(_Pool):
    """y = the mean of each window. Padding is left out of the mean unless `count_include_pad`."""

    type = "avgpool2d"

    count_include_pad: bool = Field(default=False, description="Divide by the whole window, padding included.")

    def _weights(self, input_shape: Shape, ctx: Context) -> Array:
        """Return 1/(number of places that each window averages): (OH, OW, 1)."""
        window = self.window(input_shape)
        ones = np.ones((1, *input_shape[1:], 1))
        inside = padded(ones, window, ctx, fill=float(self.count_include_pad))
        _, OH, OW = self.output_shape(input_shape)
        return 1 / np.asarray(sum(view[0] for _, _, view in places(inside, window, (OH, OW))))

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        attributes = {**self.window(input_shape).onnx_attributes(), "count_include_pad": int(self.count_include_pad)}
        return (Operator("AveragePool", attributes=attributes),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Shape]:
        window, (C, OH, OW) = self.window(x.shape[:-1]), self.output_shape(x.shape[:-1])
        y = ctx.zeros((C, OH, OW, x.shape[-1]), x.dtype)
        for _, _, view in places(padded(x, window, ctx), window, (OH, OW)):
            y += view
        y *= self._weights(x.shape[:-1], ctx).astype(x.real.dtype)
        return y, x.shape[:-1]

    def backward(self, params: Params, cache: Shape, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        window, (C, H, W) = self.window(cache), cache
        share = dy * self._weights(cache, ctx).astype(dy.dtype)
        dxp = ctx.zeros((C, H + sum(window.pad[0]), W + sum(window.pad[1]), dy.shape[-1]), dy.dtype)
        for _, _, dview in places(dxp, window, dy.shape[1:3]):
            dview += share
        return unpadded(dxp, window), {}


class GlobalAvgPool2d(Layer):
    """y = the mean of each channel: (C, H, W, M) → (C, 1, 1, M)."""

    type = "global_avgpool2d"
    symbol = "F"

    def output_shape(self, *input_shapes: Shape) -> Shape:
        require_feature_map(self, input_shapes[0])
        return (input_shapes[0][0], 1, 1)

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("GlobalAveragePool"),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Shape]:
        return x.mean(axis=(1, 2), keepdims=True), x.shape

    def backward(self, params: Params, cache: Shape, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        dx = ctx.empty(cache, dy.dtype)
        dx[:] = dy / (cache[1] * cache[2])
        return dx, {}
