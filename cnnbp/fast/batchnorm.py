"""Batch norm with fewer passes over its numbers, and none in float64."""

import numpy as np

from cnnbp.arrays import Array
from cnnbp.fast.operation import CoupledReplacement
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.layers.batchnorm import BatchNorm

_Cache = tuple[Array, Array, Array]  # x̂ like x; 1/σ and n (C,)


class RowsBatchNorm(CoupledReplacement):
    """Same as BatchNorm, by sums in float32 for each row of an image and in float64 over the rows.

    Sums of squares are taken about a point near the mean, and x̂ is made in place.
    """

    kernel = "sums by rows"

    def __init__(self, layer: BatchNorm) -> None:
        self.layer = layer

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, _Cache]:
        statistics = self.statistics(params, x, ctx) if ctx.training else self.layer.running_statistics(ctx.state)
        return self.apply(params, x, statistics, ctx)

    def backward(self, params: Params, cache: _Cache, dy: Array, ctx: Context) -> tuple[Array | None, Gradients]:
        sums, gradients = self.gradient_statistics(params, cache, dy, ctx)
        if not ctx.training:
            sums = np.zeros_like(sums)
        return self.apply_gradient(params, cache, dy, sums, ctx) if ctx.wants_dx else None, gradients

    def statistics(self, params: Params, x: Array, ctx: Context) -> Array:
        count = x.size // len(x)
        centre = (_sums(x) / count).astype(x.dtype)  # near the mean; what is left of it is small and added exactly
        with ctx.arena.scratch():
            centred = np.subtract(x, _per_channel(centre, x), out=ctx.empty(x.shape, x.dtype))
            shift, spread = _sums(centred) / count, _sums(centred, centred)
        return np.stack([np.full_like(shift, count), centre + shift, spread - count * shift**2])

    def apply(self, params: Params, x: Array, statistics: Array, ctx: Context) -> tuple[Array, _Cache]:
        n, mean, spread = statistics
        inverse_std = 1 / np.sqrt(spread / n + self.layer.eps)
        xhat = np.subtract(x, _per_channel(mean, x), out=ctx.empty(x.shape, x.dtype))
        xhat *= _per_channel(inverse_std, xhat)
        y = np.multiply(xhat, _per_channel(params["gamma"], xhat), out=ctx.empty(x.shape, xhat.dtype))
        y += _per_channel(params["beta"], xhat)
        return y, (xhat, inverse_std, n)

    def gradient_statistics(self, params: Params, cache: _Cache, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        xhat, _, _ = cache
        dbeta, dgamma = _sums(dy), _sums(dy, xhat)
        return np.stack([dbeta, dgamma]), {"gamma": dgamma.astype(dy.dtype), "beta": dbeta.astype(dy.dtype)}

    def apply_gradient(self, params: Params, cache: _Cache, dy: Array, sums: Array, ctx: Context) -> Array:
        xhat, inverse_std, n = cache
        mean_dy, mean_dy_xhat = sums / n
        dx = np.multiply(xhat, _per_channel(-mean_dy_xhat, dy), out=ctx.empty(dy.shape, dy.dtype))
        dx += dy
        dx -= _per_channel(mean_dy, dy)
        dx *= _per_channel(params["gamma"] * inverse_std, dy)
        return dx


def _per_channel(values: Array, like: Array) -> Array:
    """Shape (C,) so that it broadcasts over (C, …, M), in the other array's dtype."""
    return values.astype(like.dtype).reshape(-1, *(1,) * (like.ndim - 1))


def _sums(*factors: Array) -> Array:
    """Return the sum of the factors' product for each channel, in float64; what is added in float32 is one row's."""
    rows = [factor.reshape(len(factor), factor.shape[1] if factor.ndim > 2 else 1, -1) for factor in factors]
    sums = np.einsum("chn,chn->ch" if len(rows) == 2 else "chn->ch", *rows)
    return sums.sum(axis=1, dtype=np.float64)
