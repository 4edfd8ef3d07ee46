"""How the row kernel cuts an output into blocks, and which numbers of its input each block's windows see.

The slabs of a block, some rows high and some columns wide, are made, used and overwritten in the processor's cache.
All of it follows from shapes, so it is worked out once.
"""

from functools import cache
from typing import NamedTuple

from cnnbp.layers.base import Window

BLOCK_BYTES = 1 << 20  # of slabs: half of a common second-level cache
BLOCK_ROWS = 8  # a block should have so many: it holds kH − 1 slabs more than it has rows
ROW_NUMBERS = 64  # and so many numbers in each: products of fewer columns are slow

Place = tuple[slice | int, ...]
Sizes = tuple[int, int, int]  # (P, H, W/P) of a feature map in P phases


class Block(NamedTuple):
    """A part of an output, and the slabs (n, C, kW, width, M) that its windows are made of."""

    phase: int
    rows: slice
    columns: slice
    slabs: int  # n
    width: int
    copies: tuple[tuple[Place, Place], ...]  # to a place in the slabs, from a place in x (P, H, C, W/P, M)
    margins: tuple[Place, ...]  # the places in the slabs that lie outside of x


@cache
def blocks_of(out: Sizes, x: Sizes, window: Window, column_bytes: int, M: int) -> tuple[Block, ...]:
    """Cut an output into blocks, the largest first; `column_bytes` is what a column takes in a slab."""
    phases, H, W = out
    rows, columns = _block_size(H, W, window.kernel[0], column_bytes, M)
    return tuple(
        _block(phase, slice(h, min(h + rows, H)), slice(w, min(w + columns, W)), x, window)
        for phase in range(phases)
        for w in range(0, W, columns)
        for h in range(0, H, rows)
    )


def _block_size(OH: int, OW: int, kh: int, column_bytes: int, M: int) -> tuple[int, int]:
    """Return how many rows and columns of the output make a block.

    Whole rows where enough of them fit, else rows that are cut into equal parts.
    """
    parts = -(-OW * column_bytes * (min(OH, BLOCK_ROWS) + kh - 1) // BLOCK_BYTES)
    columns = min(OW, max(-(-OW // parts), -(-ROW_NUMBERS // M)))
    return min(OH, max(1, BLOCK_BYTES // (columns * column_bytes) - (kh - 1))), columns


def _block(phase: int, rows: slice, columns: slice, x: Sizes, window: Window) -> Block:
    (phases, H, W), (kh, kw), ((top, _), (left, _)) = x, window.kernel, window.pad
    n, width, h = rows.stop - rows.start + kh - 1, columns.stop - columns.start, rows.start - top
    first, last = max(-h, 0), min(H - h, n)  # the slabs that lie in x
    copies, margins = list[tuple[Place, Place]](), list[Place]([(slice(0, first),), (slice(last, n),)])
    for j in range(kw):
        start, source = divmod(phases * columns.start + phase - left + j, phases)
        begin = min(max(-start, 0), width)
        end = max(min(W - start, width), begin)  # a block may lie in the padding alone
        inside = slice(first, last), slice(None), j
        margins += [(*inside, slice(0, begin)), (*inside, slice(end, width))]
        seen = slice(h + first, h + last), slice(None), slice(start + begin, start + end)
        copies.append(((*inside, slice(begin, end)), (source, *seen)))
    return Block(
        phase,
        rows,
        columns,
        n,
        width,
        tuple(copy for copy in copies if not _is_empty(copy[0])),
        tuple(place for place in margins if not _is_empty(place)),
    )


def _is_empty(place: Place) -> bool:
    return any(isinstance(part, slice) and part.stop is not None and part.stop <= part.start for part in place)
