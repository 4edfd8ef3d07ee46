"""A convolution and the 2×2 max pool behind it, done at once.

The convolution writes its even and its odd columns apart (`phases.py`), so that the pool reads its windows in runs of
half a row. Of its output only the maxima stay, and which place of its window each comes from.
"""

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.layers import phases, rows
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.kernels import ROWS, kernel_for
from cnnbp.layers.pairs import WINDOW
from cnnbp.layers.phases import Phases
from cnnbp.layers.pooling import MaxPool2d
from cnnbp.layers.products import channel_sums

_FEW_IMAGES = 64  # with so many a pixel is a run that is long enough where it lies


def pools_at_once(conv: Conv2d, pool: MaxPool2d, input_shape: Shape, M: int) -> bool:
    """Return whether a convolution of M images and the max pool behind it are better done at once."""
    F, OH, OW = shape = conv.output_shape(input_shape)
    even = OH % 2 == OW % 2 == input_shape[2] % 2 == 0
    kernel = kernel_for(conv.window(input_shape), conv.groups, (F, OH, OW, M))
    return M < _FEW_IMAGES and even and pool.window(shape) == WINDOW and kernel is ROWS


class PooledConv2d:
    """y = maxpool(W ⋆ x) + b: (C, H, W, M) → (filters, OH/2, OW/2, M). Adding b keeps order, so it may wait."""

    def __init__(self, conv: Conv2d) -> None:
        self.conv = conv

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Array]]:
        """Return y, and the cache (x, routes)."""
        W, window, (_, height, width, M) = params["W"], self.conv.window(x.shape), x.shape
        F, (OH, OW) = len(W), window.positions((height, width))
        y = ctx.empty((F, OH // 2, OW // 2, M), np.result_type(W, x))
        routes = ctx.empty((2, F, OH, OW // 2, M), np.bool_)
        with ctx.arena.scratch():
            z = ctx.empty(routes.shape, y.dtype)
            rows.correlate(W, phases.split(x, ctx), window, z, ctx)
            _maxima(z, y, routes, ctx)
        if self.conv.bias:
            y += params["b"][:, None, None, None]
        return y, (x, routes)

    def backward(
        self, params: Params, cache: tuple[Array, Array], dy: Array, ctx: Context
    ) -> tuple[Array | None, Gradients]:
        """Return ∂L/∂x (None if the context does not want it) and ∂L/∂θ."""
        (x, routes), window = cache, self.conv.window(cache[0].shape)
        dx = ctx.empty(x.shape, dy.dtype) if ctx.wants_dx else None
        with ctx.arena.scratch():
            dz = ctx.empty(routes.shape, dy.dtype)
            np.multiply(dy[None, :, :, None], _windows(routes), out=_windows(dz))
            halves = None if dx is None else ctx.empty((2, *x.shape[:2], x.shape[2] // 2, x.shape[3]), dy.dtype)
            gradients = {"W": rows.gradients(params["W"], phases.split(x, ctx), dz, window, halves, ctx)}
            if dx is not None and halves is not None:
                phases.merge(halves, dx)
        if self.conv.bias:
            gradients["b"] = channel_sums(dy)
        return dx, gradients


def _windows(z: Phases) -> Array:
    """View the phases of z as 2×2 windows (2 columns, F, OH/2, 2 rows, OW/2, M)."""
    P, F, OH, half, M = z.shape
    return z.reshape(P, F, OH // 2, 2, half, M)


def _maxima(z: Phases, y: Array, routes: Phases, ctx: Context) -> None:
    """Write the maximum of each window of z to y, and to `routes` where it is: of tied ones the first, row-major."""
    columns = np.maximum(z[0], z[1], out=ctx.empty(z.shape[1:], z.dtype))
    np.maximum(columns[:, 0::2], columns[:, 1::2], out=y)
    np.equal(_windows(z), y[None, :, :, None], out=_windows(routes))
    if np.count_nonzero(routes) != y.size:
        _keep_first(_windows(routes))


def _keep_first(routes: Array) -> None:
    """Of a window's maxima keep the first; where there is none, because all is NaN, the last place."""
    first, second, third, last = (routes[column, :, :, row] for row in (0, 1) for column in (0, 1))
    taken = first.copy()
    for route in (second, third):
        np.greater(route, taken, out=route)  # here, and not taken before
        np.logical_or(taken, route, out=taken)
    np.logical_not(taken, out=last)
