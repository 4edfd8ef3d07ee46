"""Padding in an arena's memory, and the windows over dy that are the opposite of those over x."""

from cnnbp.arrays import Array
from cnnbp.layers.base import Context, Window

_SMALL = 1 << 14  # numbers: so many are filled in less time than the four sides of fewer


def padded(x: Array, window: Window, ctx: Context, fill: float = 0.0) -> Array:
    """Return x (C, H, W, M) with the window's padding around it; x itself where there is none."""
    (top, bottom), (left, right) = window.pad
    if top + bottom + left + right == 0:
        return x
    C, H, W, M = x.shape
    xp = ctx.empty((C, top + H + bottom, left + W + right, M), x.dtype)
    if xp.size <= _SMALL:
        xp.fill(fill)
    else:
        xp[:, :top] = xp[:, top + H :] = fill
        xp[:, :, :left] = xp[:, :, left + W :] = fill
    xp[:, top : top + H, left : left + W] = x
    return xp


def has_opposite(window: Window) -> bool:
    """Return whether a window moves by one place, over padding that is smaller than itself."""
    within = all(max(pad) < k for pad, k in zip(window.pad, window.kernel, strict=True))
    return within and window.stride == window.dilation == (1, 1)


def opposite(window: Window) -> Window:
    """Return the window over dy that sees every place of y in which a place of x took part, where there is one."""
    (kh, kw), ((top, bottom), (left, right)) = window.kernel, window.pad
    return Window(window.kernel, (1, 1), ((kh - 1 - top, kh - 1 - bottom), (kw - 1 - left, kw - 1 - right)))
