"""Matrices as text: numbers in columns, and blocks of lines side by side as far as a terminal goes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from math import floor, log10

import numpy as np
from rich.text import Text

from cnnbp.arrays import Array

_GAP = 4  # columns between two blocks
_BETWEEN_NUMBERS = 2

Block = Sequence[Text]


def number_format(array: Array) -> str:
    """Return how all numbers of an array are written: three digits of the largest one, three decimals at least.

    Whole numbers are written as such.
    """
    if (array == np.round(array)).all():
        return ".0f"
    largest = float(np.abs(array[np.isfinite(array)]).max(initial=0))
    exponent = floor(log10(largest)) if largest else 0
    return f".{max(3, 2 - exponent)}f" if -5 < exponent < 4 else ".2e"


def number_rows(matrix: Array, spec: str, marks: Array | None = None, heads: Sequence[str] = ()) -> list[Text]:
    """Write a matrix with its columns aligned. What is exactly 0 is a plain, dim 0: nothing came through there.

    Where `marks` is set a * stands after the number; `heads` stand over the columns.
    """
    cells = [[f"{value:{spec}}" if value else "0" for value in row] for row in matrix.tolist()]
    if marks is not None:
        cells = [
            [f"{c}{'*' if m else ' '}" for c, m in zip(*row, strict=True)] for row in zip(cells, marks, strict=True)
        ]
    width = max((len(cell) for row in (*cells, heads) for cell in row), default=0)
    head = [Text((" " * _BETWEEN_NUMBERS).join(head.rjust(width) for head in heads), style="dim")] if heads else []
    return [*head, *(_row(cells_of_row, width) for cells_of_row in cells)]


def _row(cells: Sequence[str], width: int) -> Text:
    gap = " " * _BETWEEN_NUMBERS
    return Text(gap).join(Text(cell.rjust(width), style=_style(cell)) for cell in cells)


def _style(cell: str) -> str:
    return "dim" if cell.strip() == "0" else "bold" if cell.endswith("*") else ""


def block_width(block: Block) -> int:
    """Return the columns that a block takes."""
    return max(line.cell_len for line in block)


def beside(blocks: Iterable[Block]) -> list[Text]:
    """Put blocks side by side, their first lines level."""
    columns = list(blocks)
    lines = []
    for row in zip_longest(*columns, fillvalue=Text()):
        line = Text()
        for block, cell in zip(columns, row, strict=True):
            line.append(cell)
            line.append(" " * (block_width(block) + _GAP - cell.cell_len))
        line.rstrip()
        lines.append(line)
    return lines


def flow(blocks: Iterable[Block], width: int) -> Iterator[list[Text]]:
    """Yield rows of blocks, each with as many as fit into `width` columns, in order."""
    row: list[Block] = []
    used = 0
    for block in blocks:
        needed = block_width(block) + (_GAP if row else 0)
        if row and used + needed > width:
            yield beside(row)
            row, used, needed = [], 0, block_width(block)
        row.append(block)
        used += needed
    if row:
        yield beside(row)
