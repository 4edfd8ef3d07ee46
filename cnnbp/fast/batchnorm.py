"""Batch norm, and the ReLU after it, over blocks that stay in the processor's cache from one pass to the next."""

from collections.abc import Iterator

import numpy as np

from cnnbp.arrays import Array
from cnnbp.fast.operation import CoupledReplacement
from cnnbp.fast.relu import masked, positive_part
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.layers.batchnorm import BatchNorm

_BLOCK = 1 << 16  # numbers: two blocks of float32 lie in a second-level cache
_Block = tuple[slice, slice]  # channels, and rows of their images
_Cache = tuple[Array, Array | None, Array, Array, Array]  # x; y if backward needs it; 1/σ, μ and n (C,)


class BlockBatchNorm(CoupledReplacement):
    """Same as BatchNorm, or BatchNorm and then ReLU, block by block: memory is read and written once for each pass.

    What is added in float32 is one row of an image, by BLAS; rows are added in float64. x̂ is made anew in each pass,
    in the cache, and never stored.
    """

    kernel = "blocks"

    def __init__(self, layer: BatchNorm, *, relu: bool) -> None:
        self.layer, self.relu, self.caches_output = layer, relu, relu  # type: ignore[misc]  # as ReLU's y > 0 is its mask

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, _Cache]:
        statistics = self.statistics(params, x, ctx) if ctx.training else self.layer.running_statistics(ctx.state)
        return self.apply(params, x, statistics, ctx)

    def backward(self, params: Params, cache: _Cache, dy: Array, ctx: Context) -> tuple[Array | None, Gradients]:
        sums, gradients = self.gradient_statistics(params, cache, dy, ctx)
        if not ctx.training:
            sums = np.zeros_like(sums)
        return self.apply_gradient(params, cache, dy, sums, ctx) if ctx.wants_dx else None, gradients

    def statistics(self, params: Params, x: Array, ctx: Context) -> Array:
        rows, count = _rows(x), x.size // len(x)
        ones = np.ones(rows.shape[2], x.dtype)
        centre = ((rows @ ones).sum(axis=1, dtype=np.float64) / count).astype(
            x.dtype
        )  # near the mean: the rest is exact
        total, squares = np.zeros((2, len(x)))
        for channels, here in _blocks(rows):
            with ctx.arena.scratch():
                centred = _minus(rows[channels, here], centre[channels], ctx)
                total[channels] += (centred @ ones).sum(axis=1, dtype=np.float64)
                squares[channels] += np.vecdot(centred, centred).sum(axis=1, dtype=np.float64)
        shift = total / count
        return np.stack([np.full_like(shift, count), centre + shift, squares - count * shift**2])

    def apply(self, params: Params, x: Array, statistics: Array, ctx: Context) -> tuple[Array, _Cache]:
        n, mean, spread = statistics
        inverse_std = 1 / np.sqrt(spread / n + self.layer.eps)
        mean, scale = mean.astype(x.dtype), (params["gamma"] * inverse_std).astype(x.dtype)
        y = ctx.empty(x.shape, x.dtype)
        rows, out = _rows(x), _rows(y)
        for channels, here in _blocks(rows):
            block = np.subtract(rows[channels, here], _per_row(mean[channels]), out=out[channels, here])
            block *= _per_row(scale[channels])
            block += _per_row(params["beta"][channels])
            if self.relu:
                positive_part(block, block)
        return y, (x, y if self.relu else None, inverse_std, mean, n)

    def gradient_statistics(self, params: Params, cache: _Cache, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        x, y, inverse_std, mean, _ = cache
        rows, drows = _rows(x), _rows(dy)
        ones = np.ones(rows.shape[2], x.dtype)
        dbeta, dgamma = np.zeros((2, len(x)))
        for channels, here in _blocks(rows):
            with ctx.arena.scratch():
                g = _through_relu(drows[channels, here], y, (channels, here), ctx)
                centred = _minus(rows[channels, here], mean[channels], ctx)
                dbeta[channels] += (g @ ones).sum(axis=1, dtype=np.float64)
                dgamma[channels] += np.vecdot(g, centred).sum(axis=1, dtype=np.float64)
        dgamma *= inverse_std
        return np.stack([dbeta, dgamma]), {"gamma": dgamma.astype(dy.dtype), "beta": dbeta.astype(dy.dtype)}

    def apply_gradient(self, params: Params, cache: _Cache, dy: Array, sums: Array, ctx: Context) -> Array:
        """Return γ/σ·(dy − mean dy − (x − μ)·mean(dy·x̂)/σ), given dy as `gradient_statistics` left it."""
        x, y, inverse_std, mean, n = cache
        if ctx.may_overwrite:
            y = None  # dy has been through the ReLU
        mean_dy, mean_dy_xhat = sums / n
        slope = params["gamma"] * inverse_std
        slope, of_x = slope.astype(dy.dtype), (-mean_dy_xhat * inverse_std).astype(dy.dtype)
        mean_dy = mean_dy.astype(dy.dtype)
        dx = ctx.empty(x.shape, dy.dtype)
        rows, drows, out = _rows(x), _rows(dy), _rows(dx)
        for channels, here in _blocks(rows):
            block = np.subtract(rows[channels, here], _per_row(mean[channels]), out=out[channels, here])
            block *= _per_row(of_x[channels])
            with ctx.arena.scratch():
                block += _through_relu(drows[channels, here], y, (channels, here), ctx)
            block -= _per_row(mean_dy[channels])
            block *= _per_row(slope[channels])
        return dx


def _rows(x: Array) -> Array:
    """View x (C, H, W, M) as (C, H, W·M), and (C, M) as (C, 1, M)."""
    return x.reshape(len(x), x.shape[1] if x.ndim > 2 else 1, -1)


def _blocks(rows: Array) -> Iterator[_Block]:
    """Yield blocks of whole channels, or of rows of one channel where that is larger than a block."""
    C, H, numbers = rows.shape
    at_once = max(1, _BLOCK // max(1, numbers))  # rows
    channels = max(1, at_once // H)
    for channel in range(0, C, channels):
        for row in range(0, H, at_once if channels == 1 else H):
            yield slice(channel, channel + channels), slice(row, row + at_once if channels == 1 else H)


def _through_relu(dy: Array, y: Array | None, block: _Block, ctx: Context) -> Array:
    """Return dy where y > 0, written over it if that may be; all of it where there is no ReLU."""
    if y is None:
        return dy
    return masked(dy, _rows(y)[block], dy if ctx.may_overwrite else ctx.empty(dy.shape, dy.dtype))


def _minus(rows: Array, values: Array, ctx: Context) -> Array:
    return np.subtract(rows, _per_row(values), out=ctx.empty(rows.shape, rows.dtype))


def _per_row(values: Array) -> Array:
    return values[:, None, None]
