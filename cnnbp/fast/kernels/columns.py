"""Convolution by im2col: one column for each window, one product for the whole micro-batch. Serves every window.

With the windows of x as columns, cols (C·kH·kW, OH·OW·M), and the weights as W (F, C·kH·kW):

    y = W cols        dW = dy colsᵀ        dx = col2im(Wᵀ dy)

With groups, each product is a stack: a group's filters see a group's channels.
"""

from math import prod

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.fast.kernels.padding import padded
from cnnbp.fast.kernels.products import multiply
from cnnbp.layers.base import Context, Window
from cnnbp.layers.windows import places, unpadded


def correlate(W: Array, x: Array, window: Window, y: Array, ctx: Context) -> None:
    """Write the convolution of x (C, H, W, M) with W (F, C/groups, kH, kW) to y (F, OH, OW, M)."""
    G = len(x) // W.shape[1]
    with ctx.arena.scratch():
        cols = im2col(x, window, y.shape[1:3], ctx)
        multiply(_matrices(W, G), _matrices(cols, G, 3), _matrices(y, G))


def gradients(W: Array, x: Array, dy: Array, window: Window, dx: Array | None, ctx: Context) -> Array:
    """Write ∂L/∂x to dx (C, H, W, M) where it is wanted; return ∂L/∂W."""
    G, dW = len(x) // W.shape[1], ctx.accumulator("W", W)
    dz = _matrices(dy, G)  # (F, OH·OW·M)
    with ctx.arena.scratch():
        cols = im2col(x, window, dy.shape[1:3], ctx)
        windows = _matrices(cols, G, 3)  # (C·kH·kW, OH·OW·M)
        multiply(dz, windows.swapaxes(-1, -2), _matrices(dW, G))
        if dx is not None:
            multiply(_matrices(W, G).swapaxes(-1, -2), dz, windows)  # over the windows
            dx[...] = col2im(cols, window, x.shape[:-1], ctx)
    return dW


def _matrices(a: Array, groups: int, axes: int = 1) -> Array:
    """View a as a matrix whose rows are its first axes; as a stack of matrices where there are groups."""
    rows = prod(a.shape[:axes])
    return a.reshape(rows, -1) if groups == 1 else a.reshape(groups, rows // groups, -1)


def im2col(x: Array, window: Window, out: tuple[int, int], ctx: Context) -> Array:
    """Copy every window of x (C, H, W, M) into a column: (C, kH, kW, OH, OW, M)."""
    xp = np.ascontiguousarray(padded(x, window, ctx))
    C, H, W, M = xp.strides
    (sh, sw), (dh, dw) = window.stride, window.dilation
    shape, strides = (x.shape[0], *window.kernel, *out, x.shape[-1]), (C, dh * H, dw * W, sh * H, sw * W, M)
    cols = ctx.empty(shape, x.dtype)
    np.copyto(cols, np.ndarray(shape, x.dtype, xp, 0, strides))
    return cols


def col2im(cols: Array, window: Window, input_shape: Shape, ctx: Context) -> Array:
    """Add every column back to where im2col took it from: (C, H, W, M)."""
    C, H, W = input_shape
    (top, bottom), (left, right) = window.pad
    xp = ctx.zeros((C, top + H + bottom, left + W + right, cols.shape[-1]), cols.dtype)
    for i, j, view in places(xp, window, (cols.shape[3], cols.shape[4])):
        view += cols[:, i, j]
    return unpadded(xp, window)
