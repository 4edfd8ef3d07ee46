"""Batch normalisation, over a batch that may arrive in pieces."""

from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat

from cnnbp.arrays import Array, Shape
from cnnbp.layers.base import Context, CoupledLayer, Gradients, ParameterSpec, Params
from cnnbp.layers.operators import Operator


def _per_channel(values: Array, like: Array) -> Array:
    """Shape (C,) so that it broadcasts over (C, …, M), in the other array's dtype."""
    return values.astype(like.dtype).reshape(-1, *(1,) * (like.ndim - 1))


def _sums(*factors: Array) -> Array:
    """Return the sum of the factors' product for each channel, in float64; what is added in float32 is one row's."""
    rows = [factor.reshape(len(factor), factor.shape[1] if factor.ndim > 2 else 1, -1) for factor in factors]
    sums = np.einsum("chn,chn->ch" if len(rows) == 2 else "chn->ch", *rows)
    return sums.sum(axis=1, dtype=np.result_type(sums, np.float64))


class BatchNorm(CoupledLayer):
    """y = γ·x̂ + β with x̂ = (x − μ)/√(σ² + ε), μ and σ² per channel over all images and places of the batch.

    x is (C, H, W, M) or (C, M); γ and β are (C,). Running statistics follow with `momentum`, the variance unbiased,
    and stand in for the batch's outside of training (Ioffe & Szegedy 2015, arXiv:1502.03167).
    Statistics are (3, C): the number of values, their mean, and their summed squared distance from it.
    """

    type = "batchnorm"
    symbol = "N"

    eps: PositiveFloat = Field(default=1e-5, description="Added to the variance.")
    momentum: Annotated[float, Field(gt=0, le=1)] = Field(default=0.1, description="Weight of the newest batch.")

    def parameters(self, input_shape: Shape) -> dict[str, ParameterSpec]:
        C = input_shape[0]
        return {"gamma": ParameterSpec((C,), fill=1.0), "beta": ParameterSpec((C,), fill=0.0)}

    def state(self, input_shape: Shape) -> dict[str, Array]:
        C = input_shape[0]
        return {"running_mean": np.zeros(C), "running_var": np.ones(C)}

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        inputs = ("x", "gamma", "beta", "running_mean", "running_var")
        return (Operator("BatchNormalization", inputs, {"epsilon": self.eps}),)

    def statistics(self, params: Params, x: Array, ctx: Context) -> Array:
        count = x.size // len(x)
        centre = (_sums(x) / count).astype(x.dtype)  # near the mean; what is left of it is small and added exactly
        with ctx.arena.scratch():
            centred = np.subtract(x, _per_channel(centre, x), out=ctx.empty(x.shape, x.dtype))
            shift, spread = _sums(centred) / count, _sums(centred, centred)
        return np.stack([np.full_like(shift, count), centre + shift, spread - count * shift**2])

    def combine(self, left: Array, right: Array) -> Array:
        """Merge two groups' statistics (Chan, Golub & LeVeque 1979)."""
        (n1, mean1, spread1), (n2, mean2, spread2) = left, right
        n, delta = n1 + n2, mean2 - mean1
        return np.stack([n, mean1 + delta * (n2 / n), spread1 + spread2 + delta**2 * (n1 * n2 / n)])

    def running_statistics(self, state: Params) -> Array:
        mean, var = state["running_mean"], state["running_var"]
        return np.stack([np.ones_like(mean), mean, var])

    def updated_state(self, state: Params, statistics: Array) -> dict[str, Array]:
        n, mean, spread = statistics
        unbiased = spread / np.maximum(n - 1, 1)
        return {
            "running_mean": (1 - self.momentum) * state["running_mean"] + self.momentum * mean,
            "running_var": (1 - self.momentum) * state["running_var"] + self.momentum * unbiased,
        }

    def apply(
        self, params: Params, x: Array, statistics: Array, ctx: Context
    ) -> tuple[Array, tuple[Array, Array, Array]]:
        n, mean, spread = statistics
        inverse_std = 1 / np.sqrt(spread / n + self.eps)
        xhat = ctx.empty(x.shape, np.result_type(x, *params.values()))
        np.subtract(x, _per_channel(mean, x), out=xhat)
        xhat *= _per_channel(inverse_std, xhat)
        y = np.multiply(xhat, _per_channel(params["gamma"], xhat), out=ctx.empty(x.shape, xhat.dtype))
        y += _per_channel(params["beta"], xhat)
        return y, (xhat, inverse_std, n)

    def gradient_statistics(
        self, params: Params, cache: tuple[Array, Array, Array], dy: Array, ctx: Context
    ) -> tuple[Array, Gradients]:
        xhat, _, _ = cache
        dbeta, dgamma = _sums(dy), _sums(dy, xhat)
        return np.stack([dbeta, dgamma]), {"gamma": dgamma.astype(dy.dtype), "beta": dbeta.astype(dy.dtype)}

    def apply_gradient(
        self, params: Params, cache: tuple[Array, Array, Array], dy: Array, sums: Array, ctx: Context
    ) -> Array:
        xhat, inverse_std, n = cache
        mean_dy, mean_dy_xhat = sums / n  # what the batch's mean and variance take away
        dx = np.multiply(xhat, _per_channel(-mean_dy_xhat, dy), out=ctx.empty(dy.shape, dy.dtype))
        dx += dy
        dx -= _per_channel(mean_dy, dy)
        dx *= _per_channel(params["gamma"] * inverse_std, dy)
        return dx
