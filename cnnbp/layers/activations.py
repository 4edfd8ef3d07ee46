"""Activations: one number in, one number out. Each derivative stands under its function."""

from math import pi, sqrt

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat

from cnnbp.arrays import Array, Shape
from cnnbp.layers.base import Context, Gradients, Layer, Params, PiecewiseLayer
from cnnbp.layers.operators import Operator


def sigmoid(z: Array) -> Array:
    """σ(z) = 1/(1 + e⁻ᶻ); the overflow of e⁻ᶻ far left is the right answer, 0."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-z))


class ReLU(PiecewiseLayer):
    """y = max(x, 0); its derivative at 0 is taken as 0."""

    type = "relu"
    suits = "he"

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("Relu"),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        return np.maximum(x, 0), x > 0

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        return dy * cache, {}

    def branches(self, params: Params, cache: Array, ctx: Context) -> Array:
        return cache

    def forward_on(self, params: Params, x: Array, branches: Array, ctx: Context) -> Array:
        return x * branches


class LeakyReLU(PiecewiseLayer):
    """y = x for x > 0, else slope·x; its derivative at 0 is the slope."""

    type = "leaky_relu"
    suits = "he"

    slope: NonNegativeFloat = Field(default=0.01, description="Slope left of 0.")

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("LeakyRelu", attributes={"alpha": self.slope}),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        mask = x > 0
        return self.forward_on(params, x, mask, ctx), mask

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        return self.forward_on(params, dy, cache, ctx), {}

    def branches(self, params: Params, cache: Array, ctx: Context) -> Array:
        return cache

    def forward_on(self, params: Params, x: Array, branches: Array, ctx: Context) -> Array:
        return np.where(branches, x, self.slope * x)


class ELU(PiecewiseLayer):
    """y = x for x > 0, else α(eˣ − 1) (Clevert et al. 2016, arXiv:1511.07289)."""

    type = "elu"
    suits = "he"
    caches_output = True

    alpha: PositiveFloat = Field(default=1.0, description="Where the function flattens out on the left: −alpha.")

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("Elu", attributes={"alpha": self.alpha}),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        y = self.forward_on(params, x, x > 0, ctx)
        return y, y

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        y = cache
        slope = np.where(y > 0, 1, y + self.alpha)  # d/dx α(eˣ − 1) = αeˣ = y + α
        return dy * slope, {}

    def branches(self, params: Params, cache: Array, ctx: Context) -> Array:
        return cache > 0

    def forward_on(self, params: Params, x: Array, branches: Array, ctx: Context) -> Array:
        left = np.where(branches, 0, x)  # keeps e^x from overflowing on the right
        return np.where(branches, x, self.alpha * np.expm1(left))


class GELU(Layer):
    """y = x/2·(1 + tanh(√(2/π)(x + 0.044715 x³))), the tanh form (Hendrycks & Gimpel 2016, arXiv:1606.08415)."""

    type = "gelu"
    suits = "he"

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        a = 2 * sqrt(2 / pi)
        return (  # y = x·σ(x·(a + b·x²)); ONNX's own Gelu came with opset 20, in which runtimes disagree on pools
            Operator("Constant", (), {"value_float": a}, "a"),
            Operator("Constant", (), {"value_float": 0.044715 * a}, "b"),
            Operator("Mul", ("x", "x"), output="xx"),
            Operator("Mul", ("b", "xx"), output="bxx"),
            Operator("Add", ("a", "bxx"), output="slope"),
            Operator("Mul", ("x", "slope"), output="u"),
            Operator("Sigmoid", ("u",), output="s"),
            Operator("Mul", ("x", "s")),
        )

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Array]]:
        s = sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x * x * x))  # (1 + tanh u)/2 = σ(2u), without the cancellation
        return x * s, (x, s)

    def backward(self, params: Params, cache: tuple[Array, Array], dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        x, s = cache
        ds = 2 * sqrt(2 / pi) * s * (1 - s) * (1 + 3 * 0.044715 * x * x)
        return dy * (s + x * ds), {}


class SiLU(Layer):
    """y = x·σ(x), also called swish."""

    type = "silu"
    suits = "he"

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("Sigmoid", output="s"), Operator("Mul", ("x", "s")))

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Array]]:
        s = sigmoid(x)
        return x * s, (x, s)

    def backward(self, params: Params, cache: tuple[Array, Array], dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        x, s = cache
        return dy * s * (1 + x * (1 - s)), {}


class Sigmoid(Layer):
    """y = σ(x) = 1/(1 + e⁻ˣ)."""

    type = "sigmoid"
    suits = "xavier"
    caches_output = True

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("Sigmoid"),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        y = sigmoid(x)
        return y, y

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        y = cache
        return dy * y * (1 - y), {}


class Tanh(Layer):
    """y = tanh(x)."""

    type = "tanh"
    suits = "xavier"
    caches_output = True

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("Tanh"),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        y = np.tanh(x)
        return y, y

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        y = cache
        return dy * (1 - y * y), {}
