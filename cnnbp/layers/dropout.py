"""Dropout."""

from typing import Annotated

import numpy as np
from pydantic import Field

from cnnbp.arrays import Array, Shape
from cnnbp.layers.base import Context, Gradients, Params, PiecewiseLayer
from cnnbp.layers.operators import Operator


class Dropout(PiecewiseLayer):
    """y = x with a share p of its numbers set to 0 and the rest divided by 1 − p; outside of training y = x.

    Which numbers fall depends on the context's stream alone. Once drawn, the mask is a branch like any other.
    """

    type = "dropout"
    symbol = "D"
    output_is_view = True

    p: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.5, description="Share of numbers that are set to 0.")

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("Identity"),)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array | None]:
        if not ctx.training:
            return x, None
        keep = ctx.random().random(x.shape, dtype=np.float32) >= self.p
        return self.forward_on(params, x, keep, ctx), keep

    def backward(self, params: Params, cache: Array | None, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        if cache is None:
            return dy, {}
        return self.forward_on(params, dy, cache, ctx), {}

    def branches(self, params: Params, cache: Array | None, ctx: Context) -> Array:
        return np.ones((), bool) if cache is None else cache

    def forward_on(self, params: Params, x: Array, branches: Array, ctx: Context) -> Array:
        return x * branches * (1 / (1 - self.p)) if ctx.training else x
