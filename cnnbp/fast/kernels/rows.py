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

The slabs are made and used block by block (`blocks.py`).

x and y come as phases (`phases.py`): all three products treat each column alone, so they may stand in any order.
"""

from collections.abc import Iterator

import numpy as np

from cnnbp.arrays import Array
from cnnbp.fast.kernels.blocks import Block, blocks_of
from cnnbp.fast.kernels.padding import opposite
from cnnbp.fast.kernels.phases import Phases
from cnnbp.fast.kernels.products import multiply, multiply_transposed
from cnnbp.layers.base import Context, Window

FEW_CHANNELS = 8  # up to here dW comes from the windows of x, which are small then


def correlate(W: Array, x: Phases, window: Window, y: Phases, ctx: Context) -> None:
    """Write the convolution of x (C, H, W, M) with W (F, C, kH, kW) to y (F, OH, OW, M), both as phases."""
    weights = _as_matrix(W)
    for block, windows in _windows(x, window, y, ctx):
        multiply(weights, windows, _rows(y, block))


def gradients(W: Array, x: Phases, dy: Phases, window: Window, dx: Phases | None, ctx: Context) -> Array:
    """Write ∂L/∂x to dx where it is wanted; return ∂L/∂W."""
    turned = W[:, :, ::-1, ::-1].swapaxes(0, 1)  # (C, F, kH, kW)
    if x.shape[1] > FEW_CHANNELS:
        return _from_windows_of_dy(turned, x, dy, opposite(window), dx, ctx)
    if dx is not None:
        correlate(turned, dy, opposite(window), dx, ctx)
    return _from_windows_of_x(x, dy, window, ctx)


def _from_windows_of_dy(turned: Array, x: Phases, dy: Phases, window: Window, dx: Phases | None, ctx: Context) -> Array:
    C, F, kh, kw = turned.shape
    weights, dW = _as_matrix(turned), np.zeros((kh * F * kw, C), dy.dtype)
    for block, windows in _windows(dy, window, x, ctx):
        dW += _sum_over_rows(windows, _rows(x, block), ctx)
        if dx is not None:
            multiply(weights, windows, _rows(dx, block))
    return dW.reshape(kh, F, kw, C)[::-1, :, ::-1].transpose(1, 3, 0, 2)


def _from_windows_of_x(x: Phases, dy: Phases, window: Window, ctx: Context) -> Array:
    C, F, (kh, kw) = x.shape[1], dy.shape[1], window.kernel
    dW = np.zeros((kh * C * kw, F), dy.dtype)
    for block, windows in _windows(x, window, dy, ctx):
        dW += _sum_over_rows(windows, _rows(dy, block), ctx)
    return dW.reshape(kh, C, kw, F).transpose(3, 1, 0, 2)


def _sum_over_rows(windows: Array, rows: Array, ctx: Context) -> Array:
    """Return Σ_h R_h·z_hᵀ over a block: windows (R, K, N) and rows (R, C, N) → (K, C)."""
    with ctx.arena.scratch():
        shares = ctx.empty((len(rows), windows.shape[1], rows.shape[1]), rows.dtype)
        multiply_transposed(windows, rows, shares, ctx)
        return shares.sum(axis=0)


def _as_matrix(W: Array) -> Array:
    """Return W (F, C, kH, kW) as (1, F, kH·C·kW)."""
    return W.transpose(0, 2, 1, 3).reshape(1, len(W), -1)


def _rows(x: Phases, block: Block) -> Array:
    """View a block of x as a stack of rows (rows, C, columns·M)."""
    _, C, H, W, M = x.shape
    numbers = slice(block.columns.start * M, block.columns.stop * M)
    return x[block.phase].reshape(C, H, W * M)[:, block.rows, numbers].swapaxes(0, 1)


def _windows(x: Phases, window: Window, out: Phases, ctx: Context) -> Iterator[tuple[Block, Array]]:
    """Yield each block of the output and its windows of x (rows, kH·C·kW, columns·M)."""
    (P, C, H, W, M), (kh, kw) = x.shape, window.kernel
    blocks = blocks_of((P, *out.shape[2:4]), (P, H, W), window, C * kw * M * x.itemsize, M)
    by_row = x.swapaxes(1, 2)  # (P, H, C, W, M)
    with ctx.arena.scratch():
        memory = ctx.empty((blocks[0].slabs * C * kw * blocks[0].width * M,), x.dtype)  # none is larger
        for block in blocks:
            slabs = np.ndarray((block.slabs, C, kw, block.width, M), x.dtype, memory)
            for place in block.margins:
                slabs[place] = 0
            for place, source in block.copies:
                slabs[place] = by_row[source]
            yield block, _overlapping(slabs, kh)


def _overlapping(slabs: Array, kh: int) -> Array:
    """View slabs (n, C, kW, width, M) as windows (n − kH + 1, kH·C·kW, width·M) that overlap."""
    n, C, kw, width, M = slabs.shape
    strides = (slabs.strides[0], width * M * slabs.itemsize, slabs.itemsize)
    return np.ndarray((n - kh + 1, kh * C * kw, width * M), slabs.dtype, slabs, 0, strides)
