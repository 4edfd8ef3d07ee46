"""Convolution over feature maps (cross-correlation, as everyone's `conv2d` is)."""

from typing import Self

from pydantic import Field, PositiveInt, model_validator

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.errors import ShapeError
from cnnbp.layers.base import Context, Gradients, Layer, ParameterSpec, Params, Window
from cnnbp.layers.initialisers import Initialiser
from cnnbp.layers.operators import Operator
from cnnbp.layers.windows import Pad, Size, col2im, im2col, output_size, window_over
from cnnbp.spelling import coerced


class Conv2d(Layer):
    """Z = W ⋆ x + b: (C, H, W, M) → (filters, OH, OW, M), with OH = ⌊(H + pad − dilation·(k−1) − 1)/stride⌋ + 1.

    W is (filters, C/groups, kH, kW), b (filters,). With every window of x as a column (im2col) it is one product:

        Z = W·cols + b        dW = dZ·colsᵀ        dx = col2im(Wᵀ·dZ)        db = Σ dZ

    With groups there is one such product for each: its filters see its channels alone.
    """

    type = "conv2d"
    symbol = "Z"

    filters: PositiveInt = Field(description="Number of filters, and so of output channels.")
    kernel: Size = Field(description="Height and width of the filters.")
    stride: Size = Field(default=coerced((1, 1)), description="Step of the window.")
    pad: Pad = Field(
        default=coerced((0, 0)), description="Zeros around the input: a number, [height, width], same or valid."
    )
    dilation: Size = Field(default=coerced((1, 1)), description="Distance between neighbouring places of the kernel.")
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
        W, cols = self._matrices(params["W"], x)
        Z = W @ cols  # (G, F/G, OH·OW·M)
        if self.bias:
            Z += params["b"].reshape(self.groups, -1, 1)
        return Z.reshape(*self.output_shape(x.shape[:-1]), x.shape[-1]), x

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        x = cache
        W, cols = self._matrices(params["W"], x)
        dZ = dy.reshape(self.groups, -1, cols.shape[2])
        dW = dZ @ cols.swapaxes(1, 2)  # Σ over all places and images
        dcols = W.swapaxes(1, 2) @ dZ
        dx = col2im(dcols.reshape(len(x), -1, *dy.shape[1:]), self.window(x.shape), x.shape[:-1])
        gradients = {"W": dW.reshape(params["W"].shape)}
        if self.bias:
            gradients["b"] = dZ.sum(axis=2).reshape(-1)
        return dx, gradients

    def _matrices(self, W: Array, x: Array) -> tuple[Array, Array]:
        """Return W as (G, F/G, K) and the windows of x as columns, (G, K, OH·OW·M), with K = C/G·kH·kW."""
        G, F = self.groups, self.filters
        return W.reshape(G, F // G, -1), im2col(x, self.window(x.shape)).reshape(G, W[0].size, -1)


def require_feature_map(layer: Layer, input_shape: Shape) -> None:
    """Raise ShapeError unless the input is (C, H, W)."""
    if len(input_shape) != 3:
        raise ShapeError(
            f'{layer.type} "{layer.name}" needs feature maps (channels×height×width);'
            f" its input is {format_shape(input_shape, 'M')}, already flattened"
        )
