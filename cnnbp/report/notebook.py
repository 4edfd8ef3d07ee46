"""A notebook's output: what the terminal would show, as HTML."""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from cnnbp.arrays import Array, format_shape
from cnnbp.config import Config, dump_config
from cnnbp.data.inventory import Inventory
from cnnbp.display import Shown
from cnnbp.evaluate.predictions import Prediction
from cnnbp.evaluate.scores import Evaluation
from cnnbp.gradcheck.results import GradcheckReport
from cnnbp.inspect.costs import NetworkShapes
from cnnbp.inspect.examine import Inspection
from cnnbp.parameters import Parameters
from cnnbp.report.console import one_line
from cnnbp.report.data import draw_inventory
from cnnbp.report.evaluate import draw_scores
from cnnbp.report.formatting import format_number
from cnnbp.report.gradcheck import draw_gradcheck
from cnnbp.report.grads import draw_grads
from cnnbp.report.notebook_bar import STYLE, recorded_html, recording_console
from cnnbp.report.pictures import curves_png
from cnnbp.report.predict import draw_predictions
from cnnbp.report.shapes import draw_backward, draw_shapes, draw_totals
from cnnbp.report.tables import Column, print_table
from cnnbp.report.trained import draw_trained
from cnnbp.training.state import EpochMetrics
from cnnbp.training.trained import Trained


def as_html(draw: Callable[[Console], None]) -> str:
    """Return what `draw` prints on a console, as HTML with its colours."""
    console = recording_console()
    draw(console)
    return recorded_html(console)


def html_of(result: Shown) -> str:
    """Return a result as the terminal shows it."""
    if isinstance(result, Config):
        return f'<pre style="{STYLE}">{escape(dump_config(result))}</pre>'
    return as_html(partial(_DRAWN[type(result)], result))


def _draw_whole_shapes(result: NetworkShapes, console: Console) -> None:
    draw_shapes(result, console)
    console.print()
    draw_backward(result, console)
    console.print()
    draw_totals(result, console)


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


_DRAWN: Mapping[type, Callable[[Any, Console], None]] = {
    NetworkShapes: _draw_whole_shapes,
    GradcheckReport: draw_gradcheck,
    Inspection: lambda result, console: draw_grads(result, None, console),
    Inventory: draw_inventory,
    Evaluation: draw_scores,
    Parameters: lambda result, console: draw_tensors(dict(result.named()), console),
}


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
