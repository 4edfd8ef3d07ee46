"""Batch normalisation, over a batch that may arrive in pieces."""

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat

from cnnbp.arrays import Array, Shape
from cnnbp.layers.base import Context, CoupledLayer, Gradients, Layer, ParameterSpec, Params
from cnnbp.layers.operators import Operator

_Cache = tuple[Array, Array, Array]  # x̂ like x; σ and n (C,)


class BatchNorm(CoupledLayer):
    """y = γ·x̂ + β with x̂ = (x − μ)/σ and σ² = Σ(x − μ)²/n + ε, for each channel over its n values in the batch.

    dx = γ/σ·(dy − mean dy − x̂·mean(dy·x̂)), dγ = Σ dy·x̂, dβ = Σ dy, sums and means over the same values.

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

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, _Cache]:
        statistics = self.statistics(params, x, ctx) if ctx.training else self.running_statistics(ctx.state)
        return self.apply(params, x, statistics, ctx)

    def apply(self, params: Params, x: Array, statistics: Array, ctx: Context) -> tuple[Array, _Cache]:
        n, mean, spread = statistics
        sigma = np.sqrt(spread / n + self.eps)
        xhat = (x - per_channel(mean, x)) / per_channel(sigma, x)
        return per_channel(params["gamma"], x) * xhat + per_channel(params["beta"], x), (xhat, sigma, n)

    def backward(self, params: Params, cache: _Cache, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        sums, gradients = self.gradient_statistics(params, cache, dy, ctx)
        if not ctx.training:
            sums = np.zeros_like(sums)  # running statistics are constants: nothing flows through them
        return self.apply_gradient(params, cache, dy, sums, ctx), gradients

    def apply_gradient(self, params: Params, cache: _Cache, dy: Array, sums: Array, ctx: Context) -> Array:
        xhat, sigma, n = cache
        mean_dy, mean_dy_xhat = (per_channel(total / n, dy) for total in sums)  # over the whole batch
        return per_channel(params["gamma"] / sigma, dy) * (dy - mean_dy - xhat * mean_dy_xhat)

    # The batch in pieces: what each micro-batch brings, and what all of them come to.

    def statistics(self, params: Params, x: Array, ctx: Context) -> Array:
        """Return n, μ = Σx/n and Σ(x − μ)² of each channel: (3, C)."""
        x = x.reshape(len(x), -1).astype(np.result_type(x, np.float64))
        mean = x.mean(axis=1)
        return np.stack([np.full_like(mean, x.shape[1]), mean, ((x - mean[:, None]) ** 2).sum(axis=1)])

    def combine(self, left: Array, right: Array) -> Array:
        """Merge two groups' statistics (Chan, Golub & LeVeque 1979)."""
        (n1, mean1, spread1), (n2, mean2, spread2) = left, right
        n, delta = n1 + n2, mean2 - mean1
        return np.stack([n, mean1 + delta * (n2 / n), spread1 + spread2 + delta**2 * (n1 * n2 / n)])

    def gradient_statistics(self, params: Params, cache: _Cache, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        """Return dβ = Σdy and dγ = Σdy·x̂ of each channel, (2, C): what they are divided by n, dx needs as well."""
        xhat, _, _ = cache
        dbeta, dgamma = (
            np.sum(a.reshape(len(a), -1), axis=1, dtype=np.result_type(a, np.float64)) for a in (dy, dy * xhat)
        )
        return np.stack([dbeta, dgamma]), {"gamma": dgamma.astype(dy.dtype), "beta": dbeta.astype(dy.dtype)}

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


class FixedBatchNorm(Layer):
    """A batch norm that is left as it is: its running statistics stand in for the batch's in training, too."""

    type = BatchNorm.type
    symbol = BatchNorm.symbol

    norm: BatchNorm

    def parameters(self, input_shape: Shape) -> dict[str, ParameterSpec]:
        return self.norm.parameters(input_shape)

    def state(self, input_shape: Shape) -> dict[str, Array]:
        return self.norm.state(input_shape)

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return self.norm.onnx(input_shape)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, _Cache]:
        return self.norm.forward(params, x, replace(ctx, training=False))

    def backward(self, params: Params, cache: _Cache, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        return self.norm.backward(params, cache, dy, replace(ctx, training=False))


def per_channel(values: Array, like: Array) -> Array:
    """Shape (C,) so that it broadcasts over (C, …, M); float64 becomes float32 where the other array is."""
    values = values.reshape(-1, *(1,) * (like.ndim - 1))
    return values.astype(np.float32) if like.dtype == np.float32 else values
