"""Which class was taken for which: a table in the terminal, or the most frequent mistakes where there is no room."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.text import Text

from cnnbp.arrays import Array
from cnnbp.report.console import one_line
from cnnbp.report.formatting import natural_order
from cnnbp.report.tables import Column, print_table, table_width

_LONGEST_NAME = 12
_MOST_CLASSES = 40
_MOST_MISTAKES = 12


def draw_confusion(counts: Array, classes: Sequence[str], title: str, console: Console) -> None:
    """Print counts (classes, classes): a row for each true class, a column for each predicted one, 2 before 10."""
    order = sorted(range(len(classes)), key=lambda label: natural_order(classes[label]))
    counts, classes = counts[np.ix_(order, order)], [classes[label] for label in order]
    if len(classes) > _MOST_CLASSES or table_width(console, columns := _columns(counts, classes)) > console.width:
        _draw_mistakes(counts, classes, title, console)
    else:
        print_table(console, columns, title)


def _columns(counts: Array, classes: Sequence[str]) -> list[Column]:
    names = [one_line(name) for name in classes]
    columns = [Column("true \\ predicted", names)]
    for index, name in enumerate(names):
        cells = [_cell(int(count), row == index) for row, count in enumerate(counts[:, index])]
        columns.append(Column(_shortened(name), cells, "right"))
    return [*columns, Column("right", [_share(row[i], row.sum()) for i, row in enumerate(counts)], "right")]


def _draw_mistakes(counts: Array, classes: Sequence[str], title: str, console: Console) -> None:
    """Print the pairs of classes that were confused most often."""
    mistakes = counts - np.diag(np.diag(counts))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:_MOST_MISTAKES]
    pairs = [(row, column) for row, column in (divmod(int(i), len(classes)) for i in order) if mistakes[row, column]]
    if not pairs:
        console.print(f"{title}: all right", style="bold")
        return
    columns = [
        Column("class", [one_line(classes[row]) for row, _ in pairs]),
        Column("taken for", [one_line(classes[column]) for _, column in pairs]),
        Column("images", [str(mistakes[pair]) for pair in pairs], "right"),
        Column("of the class", [_share(mistakes[pair], counts[pair[0]].sum()) for pair in pairs], "right", weight=50),
    ]
    print_table(console, columns, f"{title}: the most frequent of {mistakes.sum()} mistakes")


def _cell(count: int, is_right: bool) -> Text:
    if not count:
        return Text("·", style="dim")
    return Text(str(count), style="green" if is_right else "red")


def _share(part: int, total: int) -> str:
    return f"{part / total:.1%}" if total else "–"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
