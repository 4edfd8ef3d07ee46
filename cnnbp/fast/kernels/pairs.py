"""Max pooling by pairs: the fast kernel for 2×2 windows that tile their input.

The maximum of four is two rounds of pairwise maxima, first of the two columns of a window, then of its two rows. With
even and odd columns apart (`phases.py`) each round goes over whole half rows, forward and backward.
"""

from typing import NamedTuple

import numpy as np

from cnnbp.arrays import Array
from cnnbp.fast.kernels import phases
from cnnbp.fast.kernels.phases import Phases
from cnnbp.layers.base import Context, Window

Apart = tuple[Array, Array]  # even and odd columns, or rows

_SMALL = 1 << 12  # numbers: so few are read where they lie

WINDOW = Window(kernel=(2, 2), stride=(2, 2), pad=((0, 0), (0, 0)))


class Winners(NamedTuple):
    """Where each window's maximum is; of tied ones the first in row-major order."""

    left: Array  # (C, 2·OH, OW, M): whether it is the even column's, in each row
    top: Array  # (C, OH, OW, M): whether it is the even row's


def winners_of(y: Array, ctx: Context) -> Winners:
    """Return memory for the winners of the windows of y (C, OH, OW, M)."""
    C, OH, OW, M = y.shape
    return Winners(ctx.empty((C, 2 * OH, OW, M), np.bool_), ctx.empty(y.shape, np.bool_))


def places_of(winners: Winners) -> Array:
    """Return where each window's maximum is inside it, row-major: (C, OH, OW, M)."""
    left = np.where(winners.top, winners.left[:, 0::2], winners.left[:, 1::2])
    return np.where(winners.top, 0, 2) + np.where(left, 0, 1)


def maxima(z: Phases | Apart, y: Array, winners: Winners, larger: Array) -> None:
    """Write the maximum of each window of z (2, C, 2·OH, OW, M) to y (C, OH, OW, M), and where it is.

    `larger` (C, 2·OH, OW, M) is memory for the maximum of each row of a window: z's odd columns, if z may be lost.
    """
    even, odd = z
    np.maximum(even, odd, out=larger)
    np.equal(even, larger, out=winners.left)
    top, bottom = larger[:, 0::2], larger[:, 1::2]
    np.maximum(top, bottom, out=y)
    np.equal(top, y, out=winners.top)


def give_back(winners: Winners, dy: Array, dz: Phases | Apart, rows: Array) -> None:
    """Write each window's dy to where its maximum is in dz, 0 elsewhere.

    `rows` (C, 2·OH, OW, M) is memory for what each row of a window gets: dz's odd columns will do.
    """
    even, odd = dz
    top, bottom = rows[:, 0::2], rows[:, 1::2]
    np.multiply(dy, winners.top, out=top)
    np.subtract(dy, top, out=bottom)
    np.multiply(rows, winners.left, out=even)
    np.subtract(rows, even, out=odd)


def pool(x: Array, y: Array, ctx: Context) -> Winners:
    """Write the maximum of each window of x (C, H, W, M) to y (C, ⌊H/2⌋, ⌊W/2⌋, M)."""
    winners = winners_of(y, ctx)
    with ctx.arena.scratch():
        if x.size <= _SMALL:
            maxima(ctx.arena.view(_columns_apart, x), y, winners, ctx.empty(winners.left.shape, x.dtype))
        else:
            z = phases.split(_tiled(x), ctx)
            maxima(z, y, winners, z[1])
    return winners


def unpool(winners: Winners, dy: Array, dx: Array, ctx: Context) -> None:
    """Write each window's dy to where its maximum is in dx (C, H, W, M), 0 elsewhere."""
    if dx.shape[1] % 2 or dx.shape[2] % 2:
        dx.fill(0)
    with ctx.arena.scratch():
        if dx.size <= _SMALL:
            give_back(winners, dy, ctx.arena.view(_columns_apart, dx), ctx.empty(winners.left.shape, dy.dtype))
        else:
            dz = ctx.empty((2, *winners.left.shape), dy.dtype)
            give_back(winners, dy, dz, dz[1])
            phases.merge(dz, _tiled(dx))


def _tiled(x: Array) -> Array:
    """View x without an odd last row or column, which no window sees."""
    return x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]


def _columns_apart(x: Array) -> Apart:
    even, odd = phases.apart(_tiled(x))
    return even, odd
