"""The fully connected layer in products of good sizes."""

import numpy as np

from cnnbp.arrays import Array
from cnnbp.fast.kernels.products import multiply, multiply_transposed
from cnnbp.fast.operation import Replacement
from cnnbp.layers.base import Context, Gradients, Params


class TiledDense(Replacement):
    """Same as Dense, by products cut into tiles (`kernels/products.py`), with dW where the gradient's memory is."""

    kernel = "tiles"

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        W = params["W"]
        y = ctx.empty((len(W), x.shape[-1]), np.result_type(W, x))
        multiply(W, x, y)
        if "b" in params:
            y += params["b"][:, None]
        return y, x

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array | None, Gradients]:
        x, W = cache, params["W"]
        dW = ctx.accumulator("W", W)
        multiply_transposed(dy, x, dW, ctx)
        gradients = {"W": dW}
        if "b" in params:
            gradients["b"] = np.add.reduce(dy, axis=1)
        if not ctx.wants_dx:
            return None, gradients
        dx = ctx.empty(x.shape, dy.dtype)
        multiply(W.T, dy, dx)
        return dx, gradients
