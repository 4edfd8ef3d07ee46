"""Pooling: one number for each window of a channel."""

from math import inf
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from cnnbp.arrays import Array, Shape
from cnnbp.layers.base import Context, Gradients, Layer, Params, PiecewiseLayer, Window
from cnnbp.layers.conv import require_feature_map
from cnnbp.layers.operators import Operator
from cnnbp.layers.windows import OptionalSize, Pad, Size, col2im, im2col, output_size, window_over
from cnnbp.spelling import coerced


class _Pool(Layer):
    """What the pools share: (C, H, W, M) → (C, OH, OW, M), OH = ⌊(H + pad − kernel)/stride⌋ + 1."""

    symbol = "F"

    kernel: Size = Field(description="Height and width of the window.")
    stride: OptionalSize = Field(
        default=coerced(None), description="Step of the window; by default the kernel: windows tile."
    )
    pad: Pad = Field(
        default=coerced((0, 0)), description="Places around the input: a number, [height, width], same or valid."
    )

    @model_validator(mode="after")
    def _every_window_sees_a_pixel(self) -> Self:
        if isinstance(self.pad, tuple) and not (self.pad[0] < self.kernel[0] and self.pad[1] < self.kernel[1]):
            raise ValueError(f"pad {list(self.pad)} must be smaller than kernel {list(self.kernel)}")
        return self

    @property
    def _places(self) -> int:
        """How many numbers a window sees, kH·kW."""
        kh, kw = self.kernel
        return kh * kw

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

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("MaxPool", attributes=self.window(input_shape).onnx_attributes()),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Shape]]:
        windows = im2col(x, self.window(x.shape), fill=-inf)  # (C, kH·kW, OH, OW, M)
        winner = windows.argmax(axis=1)  # (C, OH, OW, M): its place in the window
        return _taken(windows, winner), (winner, x.shape)

    def backward(self, params: Params, cache: tuple[Array, Shape], dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        winner, (C, H, W, _) = cache
        dwindows = np.zeros((C, self._places, *dy.shape[1:]), dy.dtype)
        np.put_along_axis(dwindows, winner[:, None], dy[:, None], axis=1)
        return col2im(dwindows, self.window((C, H, W)), (C, H, W)), {}

    def branches(self, params: Params, cache: tuple[Array, Shape], ctx: Context) -> Array:
        """Return the place of the maximum inside each window, row-major: (C, OH, OW, M)."""
        winner, _ = cache
        return winner

    def forward_on(self, params: Params, x: Array, branches: Array, ctx: Context) -> Array:
        return _taken(im2col(x, self.window(x.shape), fill=-inf), branches)


def _taken(windows: Array, place: Array) -> Array:
    """Return what stands at a place of each window: (C, kH·kW, OH, OW, M) and (C, OH, OW, M) → (C, OH, OW, M)."""
    return np.take_along_axis(windows, place[:, None], axis=1)[:, 0]


class AvgPool2d(_Pool):
    """y = the mean of each window. Padding is left out of the mean unless `count_include_pad`."""

    type = "avgpool2d"

    count_include_pad: bool = Field(default=False, description="Divide by the whole window, padding included.")

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        attributes = {**self.window(input_shape).onnx_attributes(), "count_include_pad": int(self.count_include_pad)}
        return (Operator("AveragePool", attributes=attributes),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Shape]:
        windows = im2col(x, self.window(x.shape))  # (C, kH·kW, OH, OW, M)
        return windows.sum(axis=1) / self._counts(x.shape).astype(x.real.dtype), x.shape

    def backward(self, params: Params, cache: Shape, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        C, H, W, _ = cache
        share = dy / self._counts(cache).astype(dy.dtype)
        dwindows = np.repeat(share[:, None], self._places, axis=1)
        return col2im(dwindows, self.window(cache), (C, H, W)), {}

    def _counts(self, input_shape: Shape) -> Array:
        """Return how many places each window averages: (OH, OW, 1)."""
        ones = np.ones((1, *input_shape[1:3], 1))
        return im2col(ones, self.window(input_shape), fill=float(self.count_include_pad))[0].sum(axis=0)


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
        _, H, W, _ = cache
        return np.full(cache, dy / (H * W)), {}
