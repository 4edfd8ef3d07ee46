"""Matrices that are too large to be printed whole: what is left out is a row or a column more, with its sum."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.text import Text

from cnnbp.arrays import Array
from cnnbp.report.blocks import number_rows

_MOST_ROWS = 12


@dataclass(frozen=True, eq=False)
class Excerpt:
    """Numbers (rows, columns); where `rows` or `columns` is not 0, the last row or column adds up so many."""

    numbers: Array
    rows: int
    columns: int


def excerpt(matrix: Array, most_columns: int, chosen: Sequence[int] | None = None) -> Excerpt:
    """Cut a matrix down. `chosen` are the columns that are shown, by default the first ones."""
    across = matrix.shape[1]
    shown = list(chosen) if chosen is not None else list(range(across if across <= most_columns else most_columns - 1))
    numbers = _with_rest(matrix, shown)
    down = len(matrix)
    if down <= _MOST_ROWS:
        return Excerpt(numbers, 0, across - len(shown))
    kept = _MOST_ROWS - 1
    rest = numbers[kept:].sum(axis=0, keepdims=True)
    return Excerpt(np.concatenate([numbers[:kept], rest]), down - kept, across - len(shown))


def _with_rest(matrix: Array, shown: Sequence[int]) -> Array:
    left = np.setdiff1d(np.arange(matrix.shape[1]), shown)
    if not left.size:
        return matrix[:, shown]
    return np.concatenate([matrix[:, shown], matrix[:, left].sum(axis=1, keepdims=True)], axis=1)


def excerpt_rows(cut: Excerpt, spec: str, marks: Array | None = None, heads: Sequence[str] = ()) -> list[Text]:
    """Write an excerpt. `heads` stand over the columns; what a last row and column add up is said beside them."""
    names = [*heads, *(["more"] if cut.columns and heads else [])]
    rows = number_rows(cut.numbers, spec, marks, names)
    if cut.rows:
        rows[-1].append(f"  and {cut.rows} more", style="dim")
    if cut.columns:
        what = f"and {cut.columns} more" if not heads else f"more: {cut.columns} images"
        rows.append(Text(f"last column: {what}, added up", style="dim"))
    return rows
