"""Tables that fit: where a terminal is too narrow, columns of text wrap; then the least important of the others go.

A line says which those are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cnnbp.report.console import WIDE

_WRAPPED = 20  # columns that a text can be wrapped into
_ASCII_LINES = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


@dataclass(frozen=True)
class Column:
    """One column of cells. In a terminal that is too narrow the columns with the lowest `weight` go first.

    One that `wraps` takes several lines instead, down to 20 columns, and stays.
    """

    header: str
    cells: Sequence[str | Text]
    justify: Literal["left", "right"] = "left"
    weight: int = 100
    wraps: bool = False


def print_table(console: Console, columns: Sequence[Column], title: str = "") -> None:
    """Print columns side by side: those that have something to show, and as many as fit."""
    filled = [column for column in columns if any(map(str, column.cells))]
    shown = _fitting(console, filled)
    if title:
        console.print(title, style="bold")
    console.print(_table(shown, console))
    left_out = [column.header.strip().replace("\n", " ") for column in filled if column not in shown]
    if left_out:
        console.print(f"Not shown in {console.width} columns: {', '.join(left_out)}.", style="dim")


def _fitting(console: Console, columns: Sequence[Column]) -> list[Column]:
    """Return the columns that fit beside each other, whenever possible the more important ones."""
    shown, waiting = list(columns), list[Column]()
    while table_width(console, shown) > console.width:
        others = [column for column in shown if not column.wraps]
        if len(others) < 2:  # a row needs something to be known by
            break
        waiting.append(min(reversed(others), key=lambda column: column.weight))
        shown.remove(waiting[-1])
    for column in reversed(waiting):  # where a wide one has gone, a narrow one may come back
        candidate = [other for other in columns if other is column or other in shown]
        if table_width(console, candidate) <= console.width:
            shown = candidate
    return shown


def _table(columns: Sequence[Column], console: Console, *, narrow: bool = False) -> Table:
    wraps = any(column.wraps for column in columns)
    lines = _ASCII_LINES if console.options.ascii_only else box.SIMPLE_HEAD
    table = Table(box=lines, show_edge=False, pad_edge=False, collapse_padding=True)
    for column in columns:
        widest = _WRAPPED if narrow and column.wraps else None
        overflow: Literal["fold"] = "fold"
        table.add_column(
            column.header,
            justify=column.justify,
            overflow=overflow,
            no_wrap=not column.wraps and wraps,
            max_width=widest,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def table_width(console: Console, columns: Sequence[Column]) -> int:
    """Return how many columns of the terminal a table takes at least."""
    return console.measure(_table(columns, console, narrow=True), options=console.options.update(width=WIDE)).maximum
