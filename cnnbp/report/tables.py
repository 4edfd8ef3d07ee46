"""Tables that fit: where a terminal is too narrow for all columns, the least important go, and a line says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cnnbp.report.console import WIDE

_ASCII_LINES = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


@dataclass(frozen=True)
class Column:
    """One column of cells. In a terminal that is too narrow the columns with the lowest `weight` go first."""

    header: str
    cells: Sequence[str | Text]
    justify: Literal["left", "right"] = "left"
    weight: int = 100


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
    while len(shown) > 1 and table_width(console, shown) > console.width:
        waiting.append(min(reversed(shown), key=lambda column: column.weight))
        shown.remove(waiting[-1])
    for column in reversed(waiting):  # where a wide one has gone, a narrow one may come back
        candidate = [other for other in columns if other is column or other in shown]
        if table_width(console, candidate) <= console.width:
            shown = candidate
    return shown


def _table(columns: Sequence[Column], console: Console) -> Table:
    lines = _ASCII_LINES if console.options.ascii_only else box.SIMPLE_HEAD
    table = Table(box=lines, show_edge=False, pad_edge=False, collapse_padding=True)
    for column in columns:
        table.add_column(column.header, justify=column.justify, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def table_width(console: Console, columns: Sequence[Column]) -> int:
    """Return how many columns of the terminal a table takes."""
    return console.measure(_table(columns, console), options=console.options.update(width=WIDE)).maximum
