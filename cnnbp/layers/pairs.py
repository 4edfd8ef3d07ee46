"""Max pooling by pairs: the fast kernel for 2×2 windows that tile their input.

The maximum of four is two rounds of pairwise maxima. Backward asks each place of the windows in row-major order
whether it is the maximum; the first that says yes takes the gradient, and the last takes what is left.
"""

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers.base import Context, Window

WINDOW = Window(kernel=(2, 2), stride=(2, 2), pad=((0, 0), (0, 0)))


def maximum(x: Array, y: Array, ctx: Context) -> None:
    """Write the maximum of each window of x (C, H, W, M) to y (C, H/2, W/2, M); an odd row or column is left out."""
    C, OH, OW, M = y.shape
    with ctx.arena.scratch():
        rows = np.maximum(x[:, : 2 * OH : 2], x[:, 1 : 2 * OH : 2], out=ctx.empty((C, OH, x.shape[2], M), x.dtype))
        np.maximum(rows[:, :, : 2 * OW : 2], rows[:, :, 1 : 2 * OW : 2], out=y)


def route(x: Array, y: Array, dy: Array, dx: Array) -> None:
    """Write each window's dy to where its maximum is in dx (C, H, W, M), 0 elsewhere."""
    _, OH, OW, _ = y.shape
    if x.shape[1:3] != (2 * OH, 2 * OW):
        dx[:, 2 * OH :] = dx[:, :, 2 * OW :] = 0
    left = dy  # of each window's gradient
    for i, j in ((0, 0), (0, 1), (1, 0)):
        here = (slice(None), slice(i, 2 * OH, 2), slice(j, 2 * OW, 2))
        taken = np.multiply(left, x[here] == y, out=dx[here])
        left = left - taken  # all or nothing
    dx[:, 1 : 2 * OH : 2, 1 : 2 * OW : 2] = left
