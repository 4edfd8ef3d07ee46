"""Feature maps with their even and odd columns apart, for max pooling over 2×2 windows.

A pixel of a feature map is M numbers, and NumPy takes its time for each run of neighbouring numbers: what reads every
second pixel is slow where M is small. With the even columns in one place and the odd ones in another, each run is half
a row. A `Phases` array is (P, C, H, W/P, M): with P = 1 the feature map (C, H, W, M) as it is, with P = 2 its even
and its odd columns.
"""

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers.base import Context

Phases = Array


def split(x: Array, ctx: Context) -> Phases:
    """Return the two phases of x (C, H, W, M), W even."""
    C, H, W, M = x.shape
    phases = ctx.empty((2, C, H, W // 2, M), x.dtype)
    _pixels(phases)[...] = _pixels(x).reshape(C, H, W // 2, 2).transpose(3, 0, 1, 2)
    return phases


def merge(phases: Phases, x: Array) -> None:
    """Write the two phases of x to x (C, H, W, M)."""
    _, C, H, half, _ = phases.shape
    _pixels(x).reshape(C, H, half, 2)[...] = _pixels(phases).transpose(1, 2, 3, 0)


def _pixels(x: Array) -> Array:
    """View x (…, M) as its pixels (…): one item is copied faster than a run of M numbers."""
    return x.view(np.dtype((np.void, x.shape[-1] * x.itemsize)))[..., 0]
