"""A notebook's output: what the terminal would show, as HTML; and progress that leaves nothing behind but its rows."""

import base64
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import singledispatch
from html import escape
from io import StringIO
from time import monotonic

import numpy as np
from rich.console import Console
from rich.text import Text

from cnnbp.arrays import Array, format_shape
from cnnbp.config import Config, dump_config
from cnnbp.data.inventory import Inventory
from cnnbp.evaluate.predictions import Prediction
from cnnbp.evaluate.scores import Evaluation
from cnnbp.gradcheck.results import GradcheckReport
from cnnbp.inspect.costs import NetworkShapes
from cnnbp.inspect.examine import Inspection
from cnnbp.parameters import Parameters
from cnnbp.report.console import notes_console, one_line
from cnnbp.report.data import draw_inventory
from cnnbp.report.evaluate import draw_scores
from cnnbp.report.formatting import format_number
from cnnbp.report.gradcheck import draw_gradcheck
from cnnbp.report.grads import draw_grads
from cnnbp.report.pictures import curves_png
from cnnbp.report.predict import draw_predictions
from cnnbp.report.progress import Bar, progress_bar
from cnnbp.report.shapes import draw_backward, draw_shapes, draw_totals
from cnnbp.report.tables import Column, print_table
from cnnbp.report.trained import draw_trained
from cnnbp.training.state import EpochMetrics
from cnnbp.training.trained import Trained

_WIDTH = 140  # characters: what a notebook's output has room for
_PAUSE = 0.1  # seconds between two looks at the progress
_STYLE = (
    "overflow-x:auto;white-space:pre;line-height:1.25;font-size:12px;"
    "font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace"
)


def as_html(draw: Callable[[Console], None]) -> str:
    """Return what `draw` prints on a console, as HTML with its colours."""
    console = recording_console()
    draw(console)
    return _html(console)


def recording_console() -> Console:
    """Return a console that shows nothing, and remembers all."""
    return Console(
        file=StringIO(),
        record=True,
        width=_WIDTH,
        force_terminal=True,
        force_interactive=False,
        force_jupyter=False,  # else Rich displays what it is given, too
        color_system="truecolor",
        markup=False,
        emoji=False,
        highlight=False,
    )


def _html(console: Console) -> str:
    style = f'<pre style="{_STYLE}">{{code}}</pre>'
    return console.export_html(inline_styles=True, code_format=style, clear=False)


@singledispatch
def html_of(result: object) -> str:
    """Return a result as the terminal shows it."""
    raise AssertionError(f"nothing draws {type(result).__name__}")


@html_of.register
def _(result: NetworkShapes) -> str:
    def draw(console: Console) -> None:
        draw_shapes(result, console)
        console.print()
        draw_backward(result, console)
        console.print()
        draw_totals(result, console)

    return as_html(draw)


@html_of.register
def _(result: GradcheckReport) -> str:
    return as_html(lambda console: draw_gradcheck(result, console))


@html_of.register
def _(result: Inspection) -> str:
    return as_html(lambda console: draw_grads(result, None, console))


@html_of.register
def _(result: Inventory) -> str:
    return as_html(lambda console: draw_inventory(result, console))


@html_of.register
def _(result: Evaluation) -> str:
    return as_html(lambda console: draw_scores(result, console))


@html_of.register
def _(result: Parameters) -> str:
    return as_html(lambda console: draw_tensors(dict(result.named()), console))


@html_of.register
def _(result: Config) -> str:
    return f'<pre style="{_STYLE}">{escape(dump_config(result))}</pre>'


def draw_tensors(tensors: Mapping[str, Array], console: Console, title: str = "") -> None:
    """Print a row for each array: its shape, and what its numbers are like."""
    arrays = list(tensors.values())
    columns = [
        Column("", list(tensors)),
        Column("shape", [format_shape(array.shape) for array in arrays]),
        Column("mean", [format_number(float(array.mean())) for array in arrays], "right"),
        Column("std", [format_number(float(array.std())) for array in arrays], "right"),
        Column("min", [format_number(float(array.min())) for array in arrays], "right"),
        Column("max", [format_number(float(array.max())) for array in arrays], "right"),
        Column("norm", [format_number(float(np.linalg.norm(array.ravel()))) for array in arrays], "right"),
    ]
    print_table(console, columns, title)


def run_html(trained: Trained, history: Sequence[EpochMetrics], parameters: Parameters) -> str:
    """Return which checkpoint a run is, its curves, and what it has learned."""

    def draw(console: Console) -> None:
        draw_trained(trained, console)
        console.print(Text.assemble(("classes    ", "bold"), ", ".join(map(one_line, trained.checkpoint.classes))))

    return f"{as_html(draw)}{curves_html(history, trained.config.train.keep)}{html_of(parameters)}"


def curves_html(history: Sequence[EpochMetrics], keep: str) -> str:
    """Return the curves as a picture: a browser's letters are not all as wide as each other, as a terminal's are."""
    if len(history) < 2:
        return ""
    picture = base64.b64encode(curves_png(history, keep)).decode()
    return f'<img alt="loss and accuracy by epoch" width="720" src="data:image/png;base64,{picture}">'


def predictions_html(predictions: Sequence[Prediction]) -> str:
    """Return what images are taken for."""
    return as_html(lambda console: draw_predictions(predictions, console))


def tensors_html(line: str, tables: Mapping[str, Mapping[str, Array]]) -> str:
    """Return a line and some tables of arrays, by title."""

    def draw(console: Console) -> None:
        console.print(line, style="bold")
        for title, tensors in tables.items():
            console.print()
            draw_tensors(tensors, console, title)

    return as_html(draw)


@contextmanager
def epochs_bar(wanted: bool) -> Iterator[tuple[Console, "Bar | NotebookBar"]]:
    """Give a console for the epochs, and a bar that goes away: on stderr, or in the output of a notebook's cell."""
    if not (wanted and _in_notebook()):
        console = notes_console(quiet=not wanted)
        with progress_bar(console) as bar:
            yield console, bar
        return
    console = recording_console()
    below = NotebookBar(console)
    try:
        yield console, below
    finally:
        below.close()


def _in_notebook() -> bool:
    """Tell whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookBar:
    """A bar below what a console has recorded, in the output of a cell; at the end the record alone is left."""

    def __init__(self, console: Console) -> None:
        from IPython.display import HTML, display  # there is a kernel, so there is IPython

        self._console, self._html = console, HTML
        self._handle = display(HTML(""), display_id=True)
        self._shown_at = 0.0

    def show(self, what: str, done: int, total: int, note: Callable[[], str] = str) -> None:
        """Say that `done` of `total` is done."""
        if monotonic() - self._shown_at >= _PAUSE:
            self._shown_at = monotonic()
            label = escape(f"{what}  {done}/{total}  {note()}")
            self._update(f'<progress value="{done}" max="{total}"></progress> <code>{label}</code>')

    def close(self) -> None:
        """Take the bar away."""
        self._update("")

    def _update(self, bar: str) -> None:
        self._handle.update(self._html(_html(self._console) + bar))
