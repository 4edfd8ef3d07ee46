"""Convolution over feature maps (cross-correlation, as everyone's `conv2d` is)."""

from functools import cache
from typing import NamedTuple, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.errors import ShapeError
from cnnbp.layers.base import Context, Gradients, Layer, ParameterSpec, Params, Window
from cnnbp.layers.initialisers import Initialiser
from cnnbp.layers.kernels.choice import Kernel, kernel_for
from cnnbp.layers.kernels.products import channel_sums
from cnnbp.layers.operators import Operator
from cnnbp.layers.windows import Pad, Size, output_size, window_over


class _Work(NamedTuple):
    """What a convolution has to do for one shape of x."""

    window: Window
    output_shape: Shape  # (F, OH, OW, M)
    kernel: Kernel


class Conv2d(Layer):
    """Z = W ⋆ x + b: (C, H, W, M) → (filters, OH, OW, M), with OH = ⌊(H + pad − dilation·(k−1) − 1)/stride⌋ + 1.

    W is (filters, C/groups, kH, kW), b (filters,). With the windows of x as columns, forward is one matrix product.
    """

    type = "conv2d"
    symbol = "Z"

    filters: PositiveInt = Field(description="Number of filters, and so of output channels.")
    kernel: Size = Field(description="Height and width of the filters.")
    stride: Size = Field(default=(1, 1), description="Step of the window.")
    pad: Pad = Field(default=(0, 0), description="Zeros around the input: a number, [height, width], same or valid.")
    dilation: Size = Field(default=(1, 1), description="Distance between neighbouring places of the kernel.")
    groups: PositiveInt = Field(default=1, description="Split channels and filters into groups that do not mix.")
    bias: bool = Field(default=True, description="Add b to every output channel.")
    init: Initialiser | None = Field(default=None, description="How W is drawn; by default what suits the activation.")

    @model_validator(mode="after")
    def _groups_divide_filters(self) -> Self:
        if self.filters % self.groups:
            raise ValueError(f"filters ({self.filters}) must be divisible by groups ({self.groups})")
        return self

    def window(self, input_shape: Shape) -> Window:
        return window_over((input_shape[1], input_shape[2]), self.kernel, self.stride, self.pad, self.dilation)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        [input_shape] = input_shapes
        require_feature_map(self, input_shape)
        if input_shape[0] % self.groups:
            raise ShapeError(
                f'conv2d "{self.name}": {self.groups} groups do not divide the {input_shape[0]} channels of its input'
                f" {format_shape(input_shape)}"
            )
        return (self.filters, *output_size(self, input_shape, self.window(input_shape)))

    def parameters(self, input_shape: Shape) -> dict[str, ParameterSpec]:
        C, (kh, kw) = input_shape[0], self.kernel
        fan_in, fan_out = C // self.groups * kh * kw, self.filters // self.groups * kh * kw
        shape = (self.filters, C // self.groups, kh, kw)
        specs = {"W": ParameterSpec(shape, fan_in, fan_out, self.init, decays=True)}
        if self.bias:
            specs["b"] = ParameterSpec((self.filters,), fill=0.0)
        return specs

    def macs(self, input_shape: Shape) -> int:
        F, OH, OW = self.output_shape(input_shape)
        return F * OH * OW * input_shape[0] // self.groups * self.kernel[0] * self.kernel[1]

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        inputs = ("x", "W", "b") if self.bias else ("x", "W")
        return (Operator("Conv", inputs, {**self.window(input_shape).onnx_attributes(), "group": self.groups}),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        W, work = params["W"], self._work(x.shape)
        y = ctx.empty(work.output_shape, np.result_type(W, x))
        work.kernel.correlate(W, x, work.window, y, ctx)
        if self.bias:
            y += params["b"][:, None, None, None]
        return y, x

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array | None, Gradients]:
        x, work = cache, self._work(cache.shape)
        dx = ctx.empty(x.shape, dy.dtype) if ctx.wants_dx else None
        gradients = {"W": work.kernel.gradients(params["W"], x, dy, work.window, dx, ctx)}
        if self.bias:
            gradients["b"] = channel_sums(dy)
        return dx, gradients

    def _work(self, x_shape: Shape) -> _Work:
        return _work(self.kernel, self.stride, self.pad, self.dilation, self.groups, self.filters, x_shape)


@cache
def _work(kernel: Size, stride: Size, pad: Pad, dilation: Size, groups: int, filters: int, x_shape: Shape) -> _Work:
    """Work it out once, as every step asks for it."""
    _, H, W, M = x_shape
    window = window_over((H, W), kernel, stride, pad, dilation)
    output_shape = (filters, *window.positions((H, W)), M)
    return _Work(window, output_shape, kernel_for(window, groups, output_shape))


def require_feature_map(layer: Layer, input_shape: Shape) -> None:
    """Raise ShapeError unless the input is (C, H, W)."""
    if len(input_shape) != 3:
        raise ShapeError(
            f'{layer.type} "{layer.name}" needs feature maps (channels×height×width);'
            f" its input is {format_shape(input_shape, 'M')}, already flattened"
        )
