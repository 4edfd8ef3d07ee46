"""Feature maps in strips: the layout in which windows along a row need no copies.

A feature map (C, H, W, M) is cut into S strips of W/S columns, which then lie side by side like more images:
(H, W/S, C, S·M). What a window of kW columns sees in a row is (kW·C, S·M), and it lies in one piece; the next window
begins C·S·M numbers further and overlaps it.
"""

from functools import cache

import numpy as np

from cnnbp.arrays import Array, pixels
from cnnbp.layers.base import Context

Strips = Array

_ENOUGH = 32  # images side by side: a pair of vector registers, and a product with fewer columns is slow


@cache
def strips_for(M: int, W: int, narrowest: int) -> int:
    """Return how many strips make M images enough, or as nearly so as strips allow that are not too narrow."""
    possible = [S for S in range(1, W + 1) if W % S == 0 and (S == 1 or narrowest <= W // S)]
    return next((S for S in possible if S * M >= _ENOUGH), possible[-1])


def cut(x: Array, S: int, ctx: Context) -> Strips:
    """Return x (C, H, W, M) in S strips."""
    C, H, W, M = x.shape
    strips = ctx.empty((H, W // S, C, S * M), x.dtype)
    _pixels_of(strips, M)[...] = _pixels_in_strips(x, W // S)
    return strips


def join(strips: Strips, S: int, ctx: Context) -> Array:
    """Return S strips as a feature map (C, H, W, M)."""
    H, width, C, N = strips.shape
    x = ctx.empty((C, H, S * width, N // S), strips.dtype)
    _pixels_in_strips(x, width)[...] = _pixels_of(strips, N // S)
    return x


def join_adding(strips: Strips, b: Array, S: int, ctx: Context) -> Array:
    """Return S strips, with b (C,) added, as a feature map (C, H, W, M)."""
    H, width, C, N = strips.shape
    x = ctx.empty((C, H, S * width, N // S), strips.dtype)
    in_order = strips.reshape(H, width, C, S, -1).transpose(2, 0, 3, 1, 4)
    np.add(in_order, b[:, None, None, None, None], out=x.reshape(in_order.shape))
    return x


def channel_sums(strips: Strips) -> Array:
    """Return the sum of each channel of strips (H, w, C, N): (C,)."""
    rows = strips.reshape(-1, strips[0, 0].size)
    return np.add.reduce(np.add.reduce(rows, axis=0).reshape(strips.shape[2:]), axis=1)


def _pixels_of(strips: Strips, M: int) -> Array:
    """View strips as pixels (H, W/S, C, S)."""
    return pixels(strips.reshape(*strips.shape[:3], -1, M))


def _pixels_in_strips(x: Array, width: int) -> Array:
    """View x (C, H, W, M) as pixels in the order of its strips (H, width, C, S)."""
    C, H, W, _ = x.shape
    return pixels(x).reshape(C, H, W // width, width).transpose(1, 3, 0, 2)
