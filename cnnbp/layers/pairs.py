"""Max pooling by pairs: the fast kernel for 2×2 windows that tile their input.

The maximum of four is two rounds of pairwise maxima, first of the two columns of a window, then of its two rows. With
even and odd columns apart (`phases.py`) each round goes over whole half rows, forward and backward.
"""

from typing import NamedTuple

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers import phases
from cnnbp.layers.base import Context, Window
from cnnbp.layers.phases import Phases

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


def maxima(z: Phases, y: Array, winners: Winners, ctx: Context) -> None:
    """Write the maximum of each window of z (2, C, 2·OH, OW, M) to y (C, OH, OW, M), and where it is."""
    with ctx.arena.scratch():
        larger = np.maximum(z[0], z[1], out=ctx.empty(z.shape[1:], z.dtype))
        np.equal(z[0], larger, out=winners.left)
        np.maximum(larger[:, 0::2], larger[:, 1::2], out=y)
        np.equal(larger[:, 0::2], y, out=winners.top)


def give_back(winners: Winners, dy: Array, dz: Phases, ctx: Context) -> None:
    """Write each window's dy to where its maximum is in dz, 0 elsewhere."""
    with ctx.arena.scratch():
        rows = ctx.empty(winners.left.shape, dy.dtype)
        np.multiply(dy, winners.top, out=rows[:, 0::2])
        np.subtract(dy, rows[:, 0::2], out=rows[:, 1::2])
        np.multiply(rows, winners.left, out=dz[0])
        np.subtract(rows, dz[0], out=dz[1])


def pool(x: Array, y: Array, ctx: Context) -> Winners:
    """Write the maximum of each window of x (C, H, W, M) to y (C, ⌊H/2⌋, ⌊W/2⌋, M)."""
    winners, tiled = winners_of(y, ctx), _tiled(x, y)
    with ctx.arena.scratch():
        maxima(phases.apart(tiled) if x.size <= _SMALL else phases.split(tiled, ctx), y, winners, ctx)
    return winners


def unpool(winners: Winners, dy: Array, dx: Array, ctx: Context) -> None:
    """Write each window's dy to where its maximum is in dx (C, H, W, M), 0 elsewhere."""
    tiled = _tiled(dx, dy)
    if tiled.shape != dx.shape:
        dx.fill(0)
    with ctx.arena.scratch():
        if dx.size <= _SMALL:
            give_back(winners, dy, phases.apart(tiled), ctx)
        else:
            dz = ctx.empty((2, *winners.left.shape), dy.dtype)
            give_back(winners, dy, dz, ctx)
            phases.merge(dz, tiled)


def _tiled(x: Array, y: Array) -> Array:
    """View x without an odd last row or column, which no window sees."""
    return x[:, : 2 * y.shape[1], : 2 * y.shape[2]]
