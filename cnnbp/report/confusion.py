"""Which class was taken for which: a table in the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from cnnbp.arrays import Array
from cnnbp.report.console import one_line
from cnnbp.report.tables import Column, print_table

_LONGEST_NAME = 12


def draw_confusion(counts: Array, classes: Sequence[str], title: str, console: Console) -> None:
    """Print counts (classes, classes): a row for each true class, a column for each predicted one."""
    names = [one_line(name) for name in classes]
    columns = [Column("true \\ predicted", names)]
    for index, name in enumerate(names):
        cells = [_cell(int(count), row == index) for row, count in enumerate(counts[:, index])]
        columns.append(Column(_shortened(name), cells, justify="right", weight=len(classes) - index))
    columns.append(Column("right", [_share(row[i], row.sum()) for i, row in enumerate(counts)], "right", weight=100))
    print_table(console, columns, title)


def _cell(count: int, is_right: bool) -> Text:
    if not count:
        return Text("·", style="dim")
    return Text(str(count), style="green" if is_right else "red")


def _share(right: int, total: int) -> str:
    return f"{right / total:.1%}" if total else "–"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
