"""Layers that move numbers without changing them."""

from math import prod

from cnnbp.arrays import Array, Shape
from cnnbp.layers.base import Context, Gradients, Layer, Params
from cnnbp.layers.operators import Operator


class Flatten(Layer):
    """f = the feature maps in one column per image: (C, H, W, M) → (C·H·W, M), row-major, without a copy."""

    type = "flatten"
    symbol = "f"
    output_is_view = True

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return (prod(input_shapes[0]),)

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("Flatten"),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Shape]:
        return x.reshape(-1, x.shape[-1]), x.shape

    def backward(self, params: Params, cache: Shape, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        return dy.reshape(cache), {}
