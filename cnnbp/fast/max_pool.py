"""Max pooling without copies of its windows."""

from math import inf

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.fast.kernels import pairs
from cnnbp.fast.kernels.padding import padded
from cnnbp.fast.kernels.pairs import Winners
from cnnbp.fast.operation import Replacement
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.layers.pooling import MaxPool2d
from cnnbp.layers.windows import places, unpadded


class PairMaxPool2d(Replacement):
    """Same as MaxPool2d over windows of 2×2 that tile their input, by two rounds of pairwise maxima."""

    kernel = "pairs"

    def __init__(self, pool: MaxPool2d, input_shape: Shape) -> None:
        self.output_shape = pool.output_shape(input_shape)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Shape, Winners]]:
        y = ctx.empty((*self.output_shape, x.shape[-1]), x.dtype)
        return y, (x.shape, pairs.pool(x, y, ctx))

    def backward(
        self, params: Params, cache: tuple[Shape, Winners], dy: Array, ctx: Context
    ) -> tuple[Array, Gradients]:
        x_shape, winners = cache
        dx = ctx.empty(x_shape, dy.dtype)
        pairs.unpool(winners, dy, dx, ctx)
        return dx, {}


class PlacewiseMaxPool2d(Replacement):
    """Same as MaxPool2d, by the maximum of all windows' first places and their second ones, and so on.

    Backward compares each place with the maximum anew. A ReLU may have been at y since: where it raised a y to 0, a
    place may be taken for another one, but what it would get is 0.
    """

    kernel = "places"
    caches_output = True

    def __init__(self, pool: MaxPool2d, input_shape: Shape) -> None:
        self.window, self.output_shape = pool.window(input_shape), pool.output_shape(input_shape)

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, tuple[Array, Array]]:
        xp = padded(x, self.window, ctx, fill=-inf)
        y = ctx.empty((*self.output_shape, x.shape[-1]), x.dtype)
        y.fill(-inf)
        for _, _, view in places(xp, self.window, y.shape[1:3]):
            np.maximum(y, view, out=y)
        return y, (xp, y)

    def backward(self, params: Params, cache: tuple[Array, Array], dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        xp, y = cache
        dxp = ctx.zeros(xp.shape, dy.dtype)
        free = np.ones(y.shape, bool)  # windows that have not given their gradient away yet
        for (_, _, view), (_, _, dview) in zip(
            places(xp, self.window, y.shape[1:3]), places(dxp, self.window, y.shape[1:3]), strict=True
        ):
            hit = (view == y) & free
            dview += hit * dy
            free ^= hit
        return unpadded(dxp, self.window), {}


def faster_pool(pool: MaxPool2d, input_shape: Shape) -> PairMaxPool2d | PlacewiseMaxPool2d:
    """Return what replaces a max pool over an input of the given shape."""
    kind = PairMaxPool2d if pool.window(input_shape) == pairs.WINDOW else PlacewiseMaxPool2d
    return kind(pool, input_shape)
