"""Convolution row by row: the fast kernel for windows that move by one place.

What the windows of output row h see is the matrix

    R_h[(i, c, j), (w, m)] = x̄[c, h+i, w+j, m]        (kH·C·kW, OW·M), x̄ being x with its padding,

and with W′ = W, its axes in the order (f, i, c, j), a convolution is one product for each row:

    y[:, h] = W′ R_h.

The slab of R_h that belongs to the kernel's row i depends on h + i alone. In a buffer (H̄, C, kW, OW, M) of all slabs
R_h is the view from slab h to h + kH, and R_(h+1) begins one slab further: kW copies of x instead of kH·kW, and
nothing to add up afterwards.

Both gradients need the windows of dy alone, padded by k − 1 − pad, so that there is one for each place of x:

    D_h[(i, f, j), (w, m)] = d̄y[f, h+i, w+j, m]       (kH·F·kW, W·M)
    dx[:, h] = W″ D_h                                 W″[c, (i, f, j)] = W[f, c, kH−1−i, kW−1−j]
    dW″ᵀ = Σ_h D_h x_hᵀ                               x_h[c, (w, m)] = x[c, h, w, m]

The slabs of a block, some rows high and some columns wide, are made, used and overwritten in the processor's cache.
"""

from collections.abc import Iterator

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers.base import Context, Window
from cnnbp.layers.products import multiply, multiply_transposed

BLOCK_BYTES = 1 << 20  # of slabs: half of a common second-level cache
BLOCK_ROWS = 8  # a block should have so many: it holds kH − 1 slabs more than it has rows
ROW_NUMBERS = 64  # and so many numbers in each: products of fewer columns are slow
FEW_CHANNELS = 8  # up to here dW comes from the windows of x, which are small then

Block = tuple[slice, slice, slice]  # its place in a stack of rows (H, channels, W·M)


def correlate(W: Array, x: Array, window: Window, y: Array, ctx: Context) -> None:
    """Write the convolution of x (C, H, W, M) with W (F, C, kH, kW) to y (F, OH, OW, M)."""
    weights, y_rows = _as_matrix(W), _rows(y)
    for block, windows in _windows(x, window, y.shape[1:3], ctx):
        multiply(weights, windows, y_rows[block], ctx)


def gradients(W: Array, x: Array, dy: Array, window: Window, dx: Array | None, ctx: Context) -> Array:
    """Write ∂L/∂x to dx (C, H, W, M) where it is wanted; return ∂L/∂W."""
    turned = W[:, :, ::-1, ::-1].swapaxes(0, 1)  # (C, F, kH, kW)
    if len(x) > FEW_CHANNELS:
        return _from_windows_of_dy(turned, x, dy, _opposite(window), dx, ctx)
    if dx is not None:
        correlate(turned, dy, _opposite(window), dx, ctx)
    return _from_windows_of_x(x, dy, window, ctx)


def _from_windows_of_dy(turned: Array, x: Array, dy: Array, window: Window, dx: Array | None, ctx: Context) -> Array:
    C, F, kh, kw = turned.shape
    weights, x_rows, dx_rows = _as_matrix(turned), _rows(x), None if dx is None else _rows(dx)
    dW = np.zeros((kh * F * kw, C), dy.dtype)
    for block, windows in _windows(dy, window, x.shape[1:3], ctx):
        dW += _sum_over_rows(windows, x_rows[block], ctx)
        if dx_rows is not None:
            multiply(weights, windows, dx_rows[block], ctx)
    return dW.reshape(kh, F, kw, C)[::-1, :, ::-1].transpose(1, 3, 0, 2)


def _from_windows_of_x(x: Array, dy: Array, window: Window, ctx: Context) -> Array:
    C, F, (kh, kw) = len(x), len(dy), window.kernel
    dW, dy_rows = np.zeros((kh * C * kw, F), dy.dtype), _rows(dy)
    for block, windows in _windows(x, window, dy.shape[1:3], ctx):
        dW += _sum_over_rows(windows, dy_rows[block], ctx)
    return dW.reshape(kh, C, kw, F).transpose(3, 1, 0, 2)


def _sum_over_rows(windows: Array, rows: Array, ctx: Context) -> Array:
    """Return Σ_h R_h·z_hᵀ over a block: windows (R, K, N) and rows (R, C, N) → (K, C)."""
    with ctx.arena.scratch():
        shares = ctx.empty((len(rows), windows.shape[1], rows.shape[1]), rows.dtype)
        multiply_transposed(windows, rows, shares, ctx)
        return shares.sum(axis=0)


def _opposite(window: Window) -> Window:
    """Return the window over dy that sees every place of y in which a place of x took part."""
    (kh, kw), ((top, bottom), (left, right)) = window.kernel, window.pad
    return Window(window.kernel, (1, 1), ((kh - 1 - top, kh - 1 - bottom), (kw - 1 - left, kw - 1 - right)))


def _as_matrix(W: Array) -> Array:
    """Return W (F, C, kH, kW) as (1, F, kH·C·kW)."""
    return W.transpose(0, 2, 1, 3).reshape(1, len(W), -1)


def _rows(x: Array) -> Array:
    """View x (C, H, W, M) as a stack of rows (H, C, W·M)."""
    C, H, W, M = x.shape
    return x.reshape(C, H, W * M).swapaxes(0, 1)


def _windows(x: Array, window: Window, out: tuple[int, ...], ctx: Context) -> Iterator[tuple[Block, Array]]:
    """Yield each block of the output (OH, OW) and its windows (rows, kH·C·kW, columns·M)."""
    (C, _, _, M), (OH, OW), (kh, kw) = x.shape, out, window.kernel
    rows, columns = _block_size(OH, OW, kh, C * kw * M * x.itemsize, M)
    with ctx.arena.scratch():
        memory = ctx.empty(((rows + kh - 1) * C * kw * columns * M,), x.dtype)
        for w in range(0, OW, columns):
            width = min(columns, OW - w)
            for h in range(0, OH, rows):
                height = min(rows, OH - h)
                slabs = memory[: (height + kh - 1) * C * kw * width * M].reshape(-1, C, kw, width, M)
                _fill(slabs, x, h - window.pad[0][0], w - window.pad[1][0])
                place = slice(h, h + height), slice(None), slice(w * M, (w + width) * M)
                yield place, _overlapping(slabs, kh)


def _block_size(OH: int, OW: int, kh: int, column_bytes: int, M: int) -> tuple[int, int]:
    """Return how many rows and columns of the output make a block; `column_bytes` is a column's part of a slab.

    Whole rows where enough of them fit, else rows that are cut into equal parts.
    """
    parts = -(-OW * column_bytes * (min(OH, BLOCK_ROWS) + kh - 1) // BLOCK_BYTES)
    columns = min(OW, max(-(-OW // parts), -(-ROW_NUMBERS // M)))
    return min(OH, max(1, BLOCK_BYTES // (columns * column_bytes) - (kh - 1))), columns


def _fill(slabs: Array, x: Array, top: int, left: int) -> None:
    """Copy x from row `top` on to slabs (n, C, kW, width, M), from column `left` + j on for each j; 0 outside of x."""
    n, _, kw, width, _ = slabs.shape
    H, W = x.shape[1:3]
    first, last = max(-top, 0), min(H - top, n)
    slabs[:first] = 0
    slabs[last:] = 0
    inside, rows = slabs[first:last], x.swapaxes(0, 1)[top + first : top + last]
    for j in range(kw):
        start = left + j
        begin = min(max(-start, 0), width)
        end = max(min(W - start, width), begin)  # a block may lie in the padding alone
        inside[:, :, j, :begin] = 0
        inside[:, :, j, begin:end] = rows[:, :, start + begin : start + end]
        inside[:, :, j, end:] = 0


def _overlapping(slabs: Array, kh: int) -> Array:
    """View slabs (n, C, kW, width, M) as windows (n − kH + 1, kH·C·kW, width·M) that overlap."""
    n, C, kw, width, M = slabs.shape
    strides = (slabs.strides[0], width * M * slabs.itemsize, slabs.itemsize)
    return np.ndarray((n - kh + 1, kh * C * kw, width * M), slabs.dtype, slabs, 0, strides)
