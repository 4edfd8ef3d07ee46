"""Convolution with less than half the multiplications: Winograd's F(n, k) along the columns of the image.

n rows of a convolution with k rows of weights, y_r = Σ_i w_i·x_(r+i), are n·k products. But they are also coefficients
of a product of polynomials turned round, which P = n + k − 1 points determine (Toom and Cook; Winograd 1980):

    y = Aᵀ[(G w) ∘ (B x)]           A (P, n), G (P, k), B (P, P)

Here each x_r is a whole row of an image with all its channels, each w_i a row of weights, and ∘ convolves one with the
other along the row: a product of matrices, for which rows in strips (`strips.py`) need no copies. With eight points,
three rows of weights give six rows of output from eight products instead of eighteen, five give four from eight instead
of twenty. B, G and Aᵀ times something are products too, which BLAS does as fast as a copy.

The gradients are of the same kind, d̄y being dy with its padding and w′ the weights turned by 180°:

    dx = Aᵀ[(G w′) ∘ (B d̄y)]        dw′ = Gᵀ Σ [(B d̄y) ∘ (A x)]

With the points ∞, 0, ±1, ±½ and ±2 numbers stay small: float32 is seven roundings off, or for large kernels some more,
where a direct convolution is one. In float64, in which gradients are checked, nothing is done this way.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from cnnbp.arrays import Array, Shape, pixels
from cnnbp.fast.kernels.padding import opposite
from cnnbp.fast.kernels.products import multiply
from cnnbp.fast.kernels.strips import Strips
from cnnbp.layers.base import Context, Window

KERNEL_ROWS = range(3, 8)  # of two, products save less than the sums before and after them take

_FINITE = np.array([0, 1, -1, 0.5, -0.5, 2, -2])  # the points after ∞, which is the first
_SUMMANDS = 512  # at most so many in a product for ∂L/∂W: with more its tiles would have to be small


def tile_rows(kernel_rows: int) -> int:
    """Return how many rows of output come from one set of products: even, so that they can be pooled."""
    return (len(_FINITE) + 2 - kernel_rows) // 2 * 2


@cache
def matrices(rows: int, kernel_rows: int) -> tuple[Array, Array, Array]:
    """Return A (P, rows), B (P, P), G (P, kernel_rows) for the first P = rows + kernel_rows − 1 points.

    A and G evaluate polynomials, at ∞ to their highest coefficient. B leads back from a product's values, transposed.
    """
    P = rows + kernel_rows - 1
    finite = _FINITE[: P - 1]
    A, G = (np.vstack([np.eye(n)[-1], np.vander(finite, n, increasing=True)]) for n in (rows, kernel_rows))
    B = np.zeros((P, P))
    B[0] = np.poly(finite)[::-1]
    for i, point in enumerate(finite):
        others = np.delete(finite, i)
        B[i + 1, :-1] = np.atleast_1d(np.poly(others))[::-1] / np.prod(point - others)
    return A.astype(np.float32), B.astype(np.float32), G.astype(np.float32)


def at_points(W: Array) -> Array:
    """Return G w for W (F, C, kH, kW): (P, 1, F, kW·C)."""
    F, _, kh, _ = W.shape
    _, _, G = matrices(tile_rows(kh), kh)
    return (G @ W.transpose(2, 0, 3, 1).reshape(kh, -1)).reshape(len(G), 1, F, -1)


class Tile(NamedTuple):
    """Some rows of the output."""

    rows: slice  # of the output
    seen: slice  # the rows of the image that they see
    B: Array  # (P, rows of the image): as padding is 0, without the columns for it


class _Tiling:
    """All tiles of a convolution: what is the same in every step."""

    def __init__(self, x_shape: Shape, kernel_rows: int, pad: tuple[tuple[int, int], tuple[int, int]]) -> None:
        (H, self.w, C, N), ((top, bottom), (self.left, self.right)) = x_shape, pad
        height, most = top + H + bottom - (kernel_rows - 1), tile_rows(kernel_rows)
        self.shape = min(most, height) + kernel_rows, self.left + self.w + self.right, C, N  # a row more than points
        self.tiles = []
        for row in range(0, height, most):
            rows = slice(row, min(row + most, height))
            first, last = row - top, rows.stop - top + kernel_rows - 1
            seen = slice(max(first, 0), min(last, H))
            _, B, _ = matrices(rows.stop - row, kernel_rows)
            self.tiles.append(Tile(rows, seen, B[:, seen.start - first : seen.stop - first]))

    def margins(self, memory: Array) -> Array:
        """View what lies between the rows of memory of the given shape: right of a row and left of the next."""
        return memory[:, : self.left + self.right]

    def values(self, memory: Array) -> list[tuple[Array, Array]]:
        """View it as B x̄ of each tile: with its margins (P, left + w + right, C, N), and without (w, P, C·N)."""
        _, width, C, N = self.shape
        rows = memory.reshape(-1, C, N)[self.right : self.right - width].reshape(-1, width, C, N)
        within = rows.reshape(-1, width, C * N)[:, self.left : self.left + self.w].swapaxes(0, 1)
        return [(rows[: len(B)], within[:, : len(B)]) for _, _, B in self.tiles]


_tiling = cache(_Tiling)


def tiles(x: Strips, S: int, window: Window, ctx: Context) -> Iterator[tuple[slice, Array]]:
    """Yield some rows of the output and B x̄ for the rows of x that they see, with margins: (P, left + w + right, C, N).

    Where there are several strips, windows keep the width.
    """
    tiling, M = _tiling(x.shape, window.kernel[0], window.pad), x.shape[3] // S
    w, left, right = tiling.w, tiling.left, tiling.right
    with ctx.arena.scratch():
        memory, image = ctx.empty(tiling.shape, x.dtype), ctx.arena.view(_by_column, x)
        ctx.arena.view(tiling.margins, memory).fill(0)
        for (rows, seen, B), (values, within) in zip(tiling.tiles, ctx.arena.view(tiling.values, memory), strict=True):
            np.matmul(B, image[:, seen], out=within)
            if S > 1:
                values[:, :left, :, M:] = values[:, w : w + left, :, :-M]  # what a strip's neighbours hold
                values[:, left + w :, :, :-M] = values[:, left : left + right, :, M:]
            yield rows, values


def _by_column(x: Strips) -> Array:
    """View strips (H, w, C, N) as (w, H, C·N)."""
    H, w, C, N = x.shape
    return x.reshape(H, w, C * N).swapaxes(0, 1)


def convolve(weights: Array, seen: Array, y: Strips, ctx: Context) -> None:
    """Write a tile of the convolution to y (rows, w, F, N)."""
    rows, w, F, N = y.shape
    with ctx.arena.scratch():
        products = ctx.empty((len(seen), w, F, N), y.dtype)
        multiply(weights[: len(seen)], _windows(seen, w), products)
        A, _, _ = matrices(rows, len(seen) - rows + 1)
        _combine(A.T, products.reshape(-1, w, F * N), y.reshape(rows, w, F * N))


def gradients(W: Array, x: Strips, dy: Strips, S: int, window: Window, dx: Strips | None, ctx: Context) -> Array:
    """Write ∂L/∂x to dx where it is wanted; return ∂L/∂W."""
    turned = W[:, :, ::-1, ::-1].swapaxes(0, 1)  # (C, F, kH, kW)
    (C, F, kh, kw), weights = turned.shape, at_points(turned)
    gradient = _gradient_by_pixel if kw * C <= dy.shape[3] else _gradient_at_once
    dW = np.zeros((kh, kw * F * C), dy.dtype)
    for rows, seen in tiles(dy, S, opposite(window), ctx):
        with ctx.arena.scratch():
            share = gradient(seen, _turned_at_points(x[rows], len(seen), ctx), ctx)
            dW += _back(kh, len(seen), len(share)) @ share
        if dx is not None:
            convolve(weights, seen, dx[rows], ctx)
    return dW.reshape(kh, kw, F, C)[::-1, ::-1].transpose(2, 3, 0, 1)


def _turned_at_points(x: Strips, points: int, ctx: Context) -> Array:
    """Return A x for a tile x (rows, w, C, N), turned: (P, w, N, C)."""
    rows, w, C, N = x.shape
    values, (A, _, _) = ctx.empty((points, w, N, C), x.dtype), matrices(rows, points - rows + 1)
    with ctx.arena.scratch():
        turned = ctx.empty((rows, w, N, C), x.dtype)
        np.copyto(turned, x.swapaxes(2, 3))
        _combine(A, turned.reshape(rows, w, N * C), values.reshape(points, w, N * C))
    return values


def _gradient_by_pixel(seen: Array, x: Array, ctx: Context) -> Array:
    """Return (B d̄y) ∘ (A x), apart for each pixel of a row (P·w, kW·F·C): no copies, but more results."""
    (points, width, F, _), (_, w, _, C) = seen.shape, x.shape
    share = ctx.empty((points, w, (width - w + 1) * F, C), x.dtype)
    multiply(_windows(seen, w), x, share)
    return share.reshape(points * w, -1)


def _gradient_at_once(seen: Array, x: Array, ctx: Context) -> Array:
    """Return (B d̄y) ∘ (A x) (P, kW·F·C)."""
    (points, width, F, N), (_, w, _, C) = seen.shape, x.shape
    by_channel = ctx.empty((points, F, width, N), x.dtype)
    pixels(by_channel)[...] = pixels(seen).swapaxes(1, 2)
    size, channel, pixel, number = by_channel.strides
    shape = points, width - w + 1, F, w * N
    shifted = np.ndarray(shape, x.dtype, by_channel, 0, (size, pixel, channel, number))
    values = x.reshape(points, 1, w * N, C)
    share, more = (ctx.empty((*shape[:3], C), x.dtype) for _ in range(2))
    for start in range(0, w * N, _SUMMANDS):
        part = slice(start, start + _SUMMANDS)
        multiply(shifted[..., part], values[:, :, part], more if start else share)
        if start:
            share += more
    return share.reshape(points, -1)


@cache
def _back(kernel_rows: int, points: int, sums: int) -> Array:
    """Return Gᵀ for so many points, for each of which there are as many sums to be added: (kernel_rows, sums)."""
    _, _, G = matrices(tile_rows(kernel_rows), kernel_rows)
    return np.repeat(G[:points], sums // points, axis=0).T


def _combine(matrix: Array, x: Array, out: Array) -> None:
    """Write out_k = Σ_r matrix[k, r]·x_r, for rows x (r, w, L) and out (k, w, L)."""
    np.matmul(matrix, x.swapaxes(0, 1), out=out.swapaxes(0, 1))


def _windows(seen: Array, w: int) -> Array:
    """View (P, w + kW − 1, C, N) as windows (P, w, kW·C, N) that overlap."""
    points, width, C, N = seen.shape
    return np.ndarray((points, w, (width - w + 1) * C, N), seen.dtype, seen, 0, seen.strides)
