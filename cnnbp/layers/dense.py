"""The fully connected layer."""

from pydantic import Field, PositiveInt

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.errors import ShapeError
from cnnbp.layers.base import Context, Gradients, Layer, ParameterSpec, Params
from cnnbp.layers.initialisers import Initialiser
from cnnbp.layers.operators import Operator


class Dense(Layer):
    """Z = W·x + b: (features, M) → (units, M). W is (units, features), b (units,).

    dW = dZ·xᵀ, db = Σ dZ, dx = Wᵀ·dZ.
    """

    type = "dense"
    symbol = "Z"

    units: PositiveInt = Field(description="Number of neurons.")
    bias: bool = Field(default=True, description="Add b.")
    init: Initialiser | None = Field(default=None, description="How W is drawn; by default what suits the activation.")

    def output_shape(self, *input_shapes: Shape) -> Shape:
        [input_shape] = input_shapes
        if len(input_shape) != 1:
            raise ShapeError(
                f'dense "{self.name}" needs a flat input (features); its input is {format_shape(input_shape, "M")}:'
                " put a flatten or global_avgpool2d + flatten before it"
            )
        return (self.units,)

    def parameters(self, input_shape: Shape) -> dict[str, ParameterSpec]:
        [features] = input_shape
        specs = {"W": ParameterSpec((self.units, features), features, self.units, self.init, decays=True)}
        if self.bias:
            specs["b"] = ParameterSpec((self.units,), fill=0.0)
        return specs

    def macs(self, input_shape: Shape) -> int:
        return self.units * input_shape[0]

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        inputs = ("x", "W", "b") if self.bias else ("x", "W")
        return (Operator("Gemm", inputs, {"transB": 1}),)  # x·Wᵀ + b, a row for each image

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        Z = params["W"] @ x
        if self.bias:
            Z += params["b"][:, None]
        return Z, x

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        x, dZ = cache, dy
        gradients = {"W": dZ @ x.T}  # (units, features): Σ over the M images
        if self.bias:
            gradients["b"] = dZ.sum(axis=1)
        return params["W"].T @ dZ, gradients
