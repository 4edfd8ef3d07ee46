"""Feature maps with their even and odd columns apart, for max pooling over 2×2 windows.

A pixel of a feature map is M numbers, and NumPy takes its time for each run of neighbouring numbers: what reads every
second pixel is slow where M is small. With the even columns in one place and the odd ones in another, each run is half
a row. A `Phases` array is (P, C, H, W/P, M): with P = 1 the feature map (C, H, W, M) as it is, with P = 2 its even
and its odd columns.
"""

from cnnbp.arrays import Array, pixels
from cnnbp.layers.base import Context

Phases = Array


def apart(x: Array) -> Phases:
    """View x (C, H, W, M), W even, as its two phases."""
    C, H, W, M = x.shape
    return x.reshape(C, H, W // 2, 2, M).transpose(3, 0, 1, 2, 4)


def split(x: Array, ctx: Context) -> Phases:
    """Copy the two phases of x (C, H, W, M), W even."""
    view = apart(x)
    phases = ctx.empty(view.shape, x.dtype)
    pixels(phases)[...] = pixels(view)
    return phases


def merge(phases: Phases, x: Array) -> None:
    """Copy two phases to x (C, H, W, M)."""
    pixels(apart(x))[...] = pixels(phases)
