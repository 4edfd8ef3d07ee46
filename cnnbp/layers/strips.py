"""Feature maps in strips: the layout in which windows along a row need no copies.

A feature map (C, H, W, M) is cut into S strips of W/S columns, which then lie side by side like more images:
(H, W/S, C, S·M). What a window of kW columns sees in a row is (kW·C, S·M), and it lies in one piece; the next window
begins C·S·M numbers further and overlaps it. S is as small as lets a product have columns enough.
"""

from functools import cache

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers.base import Context

Strips = Array

COLUMNS = 32  # numbers, a pair of vector registers: a product with fewer columns is slow


def strips_for(M: int) -> int:
    """Return into how many strips feature maps of M images are cut."""
    return -(-COLUMNS // M)


def cut(x: Array, ctx: Context) -> Strips:
    """Return x (C, H, W, M) in strips."""
    C, H, W, M = x.shape
    S = strips_for(M)
    strips = ctx.empty((H, W // S, C, S * M), x.dtype)
    _pixels_of(strips, M)[...] = _pixels_in_strips(x, W // S)
    return strips


def join(strips: Strips, M: int, ctx: Context) -> Array:
    """Return strips as a feature map (C, H, W, M)."""
    H, width, C, N = strips.shape
    x = ctx.empty((C, H, width * N // M, M), strips.dtype)
    _pixels_in_strips(x, width)[...] = _pixels_of(strips, M)
    return x


def pixels(x: Array) -> Array:
    """View x (…, M) as its pixels (…): one item is copied faster than a run of M numbers."""
    return x.view(_pixel(x.shape[-1] * x.itemsize))[..., 0]


def _pixels_of(strips: Strips, M: int) -> Array:
    """View strips as pixels (H, W/S, C, S)."""
    return pixels(strips.reshape(*strips.shape[:3], -1, M))


def _pixels_in_strips(x: Array, width: int) -> Array:
    """View x (C, H, W, M) as pixels in the order of its strips (H, width, C, S)."""
    C, H, W, _ = x.shape
    return pixels(x).reshape(C, H, W // width, width).transpose(1, 3, 0, 2)


@cache
def _pixel(size: int) -> "np.dtype[np.void]":
    return np.dtype((np.void, size))
