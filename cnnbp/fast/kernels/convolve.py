"""Which kernel a convolution runs on: the one place where that is decided, from shapes alone."""

from collections.abc import Callable
from functools import cache
from math import prod
from typing import NamedTuple

from cnnbp.arrays import Array
from cnnbp.fast.kernels import columns, rows
from cnnbp.fast.kernels.padding import has_opposite
from cnnbp.layers.base import Context, Window


class Kernel(NamedTuple):
    """A way to compute a convolution and its gradients."""

    name: str
    correlate: Callable[[Array, Array, Window, Array, Context], None]
    gradients: Callable[[Array, Array, Array, Window, Array | None, Context], Array]


def _correlate_rows(W: Array, x: Array, window: Window, y: Array, ctx: Context) -> None:
    rows.correlate(W, x[None], window, y[None], ctx)


def _gradients_of_rows(W: Array, x: Array, dy: Array, window: Window, dx: Array | None, ctx: Context) -> Array:
    return rows.gradients(W, x[None], dy[None], window, None if dx is None else dx[None], ctx)


ROWS = Kernel("rows", _correlate_rows, _gradients_of_rows)
COLUMNS = Kernel("columns", columns.correlate, columns.gradients)

_FEW_PLACES = 8192  # of the kernel in all windows: so few are copied at once in less time than Python takes for rows
_LONG_ROW = 64  # numbers: below it a product for each row is too small to be worth its call


@cache
def kernel_for(window: Window, groups: int, output_shape: tuple[int, ...]) -> Kernel:
    """Return the kernel for a convolution with the given window, groups and output (F, OH, OW, M)."""
    _, OH, OW, M = output_shape
    few = OH * OW * M * prod(window.kernel) <= _FEW_PLACES
    if not few and has_opposite(window) and groups == 1 and window.kernel != (1, 1) and OW * M >= _LONG_ROW:
        return ROWS
    return COLUMNS
