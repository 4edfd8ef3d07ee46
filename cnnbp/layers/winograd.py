"""Convolution with half the multiplications: Winograd's F(4, 3) along the columns of the image.

Four rows of a convolution with three rows of weights, y_r = Σ_i w_i·x_(r+i), are twelve products. But they are also
four coefficients of a product of polynomials turned round, which six points determine (Toom and Cook; Winograd 1980):

    y = Aᵀ[(G w) ∘ (B x)]           A (6, 4), G (6, 3), B (6, 6)

Here each x_r is a whole row of an image with all its channels, each w_i a row of weights, and ∘ convolves one with the
other along the row: a product of matrices, for which rows in strips (`strips.py`) need no copies. There are six of them
instead of twelve. B, G and Aᵀ times something are products too, which BLAS does as fast as a copy.

The gradients are of the same kind, d̄y being dy with its padding and w′ the weights turned by 180°:

    dx = Aᵀ[(G w′) ∘ (B d̄y)]        dw′ = Gᵀ Σ [(B d̄y) ∘ (A x)]

The points are 0, ±0.7, ±1.5 and ∞, with which numbers stay small: float32 is about 4 roundings off where a direct
convolution is 1. In float64, in which gradients are checked, nothing is done this way.
"""

from collections.abc import Iterator

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers import strips
from cnnbp.layers.base import Context, Window
from cnnbp.layers.products import multiply
from cnnbp.layers.strips import Strips
from cnnbp.layers.windows import opposite

TILE = 4  # rows of output from one set of products
KERNEL_ROWS = 3
POINTS = TILE + KERNEL_ROWS - 1


def _matrices() -> tuple[Array, Array, Array]:
    """Return A, B, G: values at the points of polynomials with 4 and 3 coefficients, and the way back, transposed."""
    points = (0, 0.7, -0.7, 1.5, -1.5)
    A, G, B = np.zeros((POINTS, TILE)), np.zeros((POINTS, KERNEL_ROWS)), np.zeros((POINTS, POINTS))
    for i, point in enumerate(points):
        others = [other for other in points if other != point]
        A[i] = point ** np.arange(TILE)
        G[i] = point ** np.arange(KERNEL_ROWS)
        B[i, :-1] = np.poly(others)[::-1] / np.prod([point - other for other in others])
    A[-1, -1] = G[-1, -1] = 1  # the point at infinity: the highest coefficient
    B[-1] = np.poly(points)[::-1]
    return A.astype(np.float32), B.astype(np.float32), G.astype(np.float32)


A, B, G = _matrices()


def at_points(W: Array) -> Array:
    """Return G w for W (F, C, 3, kW): (6, 1, F, kW·C)."""
    return (G @ W.transpose(2, 0, 3, 1).reshape(KERNEL_ROWS, -1)).reshape(POINTS, 1, len(W), -1)


def tiles(x: Strips, M: int, window: Window, ctx: Context) -> Iterator[tuple[slice, Array]]:
    """Yield four rows of the output and B x̄ for the rows of x that they see, with margins: (6, w + kW − 1, C, N)."""
    (H, w, C, N), (_, kw), ((top, bottom), (left, right)) = x.shape, window.kernel, window.pad
    height = top + H + bottom - (KERNEL_ROWS - 1)
    with ctx.arena.scratch():
        seen = ctx.empty((POINTS, w + kw - 1, C, N), x.dtype)
        seen[:, :left, :, :M] = seen[:, left + w :, :, N - M :] = 0  # left of the first strip, right of the last
        inside = seen.reshape(POINTS, -1, C * N)[:, left : left + w]
        for row in range(0, height, TILE):
            start, end = max(row - top, 0), min(row - top + POINTS, H)
            _combine(B[:, start - row + top : end - row + top], x[start:end].reshape(end - start, w, C * N), inside)
            seen[:, :left, :, M:] = seen[:, w : w + left, :, :-M]  # what a strip's neighbours hold
            seen[:, left + w :, :, : N - M] = seen[:, left : left + right, :, M:]
            yield slice(row, min(row + TILE, height)), seen


def convolve(weights: Array, seen: Array, y: Strips, ctx: Context) -> None:
    """Write a tile of the convolution to y (≤ 4, w, F, N)."""
    rows, w, F, N = y.shape
    with ctx.arena.scratch():
        products = ctx.empty((POINTS, w, F, N), y.dtype)
        multiply(weights, _windows(seen, w), products, ctx)
        _combine(A.T[:rows], products.reshape(POINTS, w, F * N), y.reshape(rows, w, F * N))


def gradients(W: Array, x: Strips, dy: Strips, M: int, window: Window, dx: Strips | None, ctx: Context) -> Array:
    """Write ∂L/∂x to dx where it is wanted; return ∂L/∂W."""
    turned = W[:, :, ::-1, ::-1].swapaxes(0, 1)  # (C, F, kH, kW)
    (C, F, kh, kw), weights = turned.shape, at_points(turned)
    dW = np.zeros((POINTS, kw, F, C), dy.dtype)
    for rows, seen in tiles(dy, M, opposite(window), ctx):
        _add_weight_gradient(seen, x[rows], dW, ctx)
        if dx is not None:
            convolve(weights, seen, dx[rows], ctx)
    return (G.T @ dW.reshape(POINTS, -1)).reshape(kh, kw, F, C)[::-1, ::-1].transpose(2, 3, 0, 1)


def _add_weight_gradient(seen: Array, x: Strips, dW: Array, ctx: Context) -> None:
    """Add (B d̄y) ∘ (A x) to dW (6, kW, F, C), for a tile x (≤ 4, w, C, N)."""
    (rows, w, C, N), (_, width, F, _), kw = x.shape, seen.shape, dW.shape[1]
    with ctx.arena.scratch():
        turned = ctx.empty((rows, w, N, C), x.dtype)
        np.copyto(turned, x.swapaxes(2, 3))
        values = ctx.empty((POINTS, 1, w * N, C), x.dtype)
        _combine(A[:, :rows], turned.reshape(rows, w, N * C), values.reshape(POINTS, w, N * C))
        by_channel = ctx.empty((POINTS, F, width, N), x.dtype)
        strips.pixels(by_channel)[...] = strips.pixels(seen).swapaxes(1, 2)
        points, channels, pixels, numbers = by_channel.strides
        shifted = np.ndarray((POINTS, kw, F, w * N), x.dtype, by_channel, 0, (points, pixels, channels, numbers))
        share = ctx.empty(dW.shape, dW.dtype)
        multiply(shifted, values, share, ctx)
        np.add(dW, share, out=dW)


def _combine(matrix: Array, x: Array, out: Array) -> None:
    """Write out_k = Σ_r matrix[k, r]·x_r, for rows x (r, w, L) and out (k, w, L)."""
    np.matmul(matrix, x.swapaxes(0, 1), out=out.swapaxes(0, 1))


def _windows(seen: Array, w: int) -> Array:
    """View (6, w + kW − 1, C, N) as windows (6, w, kW·C, N) that overlap."""
    points, width, C, N = seen.shape
    return np.ndarray((points, w, (width - w + 1) * C, N), seen.dtype, seen, 0, seen.strides)
