"""Group normalisation: the channels of an image in groups, each image for itself."""

from math import prod

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.errors import ShapeError
from cnnbp.layers.base import Context, Gradients, Layer, ParameterSpec, Params
from cnnbp.layers.batchnorm import per_channel
from cnnbp.layers.operators import Operator

_Cache = tuple[Array, Array]  # x̂ (groups, n, M), σ (groups, 1, M)


class GroupNorm(Layer):
    """y = γ·x̂ + β with x̂ = (x − μ)/σ and σ² = Σ(x − μ)²/n + ε, for each image over the n values of a group of channels.

    dx = (dx̂ − mean dx̂ − x̂·mean(dx̂·x̂))/σ with dx̂ = γ·dy, means over the same n values; dγ = Σ dy·x̂ and dβ = Σ dy,
    for each channel over places and images.

    x is (C, H, W, M) or (C, M); γ and β are (C,). `groups: 1` is layer norm over an image (Ba, Kiros & Hinton 2016,
    arXiv:1607.06450), `groups: C` instance norm (Ulyanov et al. 2016, arXiv:1607.08022). No image sees another, so
    there are no running statistics, and training and prediction are the same (Wu & He 2018, arXiv:1803.08494).
    """

    type = "groupnorm"
    symbol = "N"

    groups: PositiveInt = Field(description="Groups of channels: 1 is layer norm, one per channel instance norm.")
    eps: PositiveFloat = Field(default=1e-5, description="Added to the variance.")

    def output_shape(self, *input_shapes: Shape) -> Shape:
        [shape] = input_shapes
        C = shape[0]
        if C % self.groups:
            divisors = ", ".join(str(n) for n in range(1, C + 1) if C % n == 0)
            raise ShapeError(
                f'groupnorm "{self.name}" cannot cut {C} channels into {self.groups} groups of one size:'
                f" groups can be {divisors}"
            )
        if prod(shape) == self.groups:
            raise ShapeError(
                f'groupnorm "{self.name}" gets {format_shape(shape, "M")}, one value for each of {self.groups} groups,'
                " and (x − μ)/σ of a value alone is 0: use fewer groups"
            )
        return shape

    def parameters(self, input_shape: Shape) -> dict[str, ParameterSpec]:
        C = input_shape[0]
        return {"gamma": ParameterSpec((C,), fill=1.0), "beta": ParameterSpec((C,), fill=0.0)}

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        """Instance norm over the groups: GroupNormalization came with opset 18, and changed with 21."""
        C, *size = input_shape
        return (
            Operator("Constant", (), {"value_ints": [0, self.groups, -1]}, "grouped_shape"),
            Operator("Constant", (), {"value_floats": [1.0] * self.groups}, "ones"),
            Operator("Constant", (), {"value_floats": [0.0] * self.groups}, "zeros"),
            Operator("Constant", (), {"value_ints": [0, C, *size]}, "shape"),
            Operator("Constant", (), {"value_ints": [C, *(1 for _ in size)]}, "per_channel"),
            Operator("Reshape", ("x", "grouped_shape"), output="grouped"),  # (M, groups, n)
            Operator("InstanceNormalization", ("grouped", "ones", "zeros"), {"epsilon": self.eps}, "grouped_xhat"),
            Operator("Reshape", ("grouped_xhat", "shape"), output="xhat"),
            Operator("Reshape", ("gamma", "per_channel"), output="gamma_per_channel"),
            Operator("Reshape", ("beta", "per_channel"), output="beta_per_channel"),
            Operator("Mul", ("gamma_per_channel", "xhat"), output="scaled"),
            Operator("Add", ("scaled", "beta_per_channel")),
        )

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, _Cache]:
        centred = x.reshape(self.groups, -1, x.shape[-1])  # (groups, n, M)
        centred = centred - _mean(centred)
        sigma = np.sqrt(_mean(centred**2) + self.eps)
        xhat = centred / sigma
        return per_channel(params["gamma"], x) * xhat.reshape(x.shape) + per_channel(params["beta"], x), (xhat, sigma)

    def backward(self, params: Params, cache: _Cache, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        xhat, sigma = cache
        dxhat = (per_channel(params["gamma"], dy) * dy).reshape(xhat.shape)
        dx = (dxhat - _mean(dxhat) - xhat * _mean(dxhat * xhat)) / sigma
        dgamma, dbeta = _sum_per_channel(dy * xhat.reshape(dy.shape)), _sum_per_channel(dy)
        return dx.reshape(dy.shape), {"gamma": dgamma, "beta": dbeta}


def _mean(grouped: Array) -> Array:
    """The mean of each group in each image, (groups, 1, M), added up in float64."""
    return grouped.mean(axis=1, keepdims=True, dtype=np.result_type(grouped, np.float64)).astype(grouped.dtype)


def _sum_per_channel(values: Array) -> Array:
    flat = values.reshape(len(values), -1)
    return flat.sum(axis=1, dtype=np.result_type(flat, np.float64)).astype(flat.dtype)
