"""The layers over the epochs: a strip for each in the terminal, and layers.png."""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from cnnbp.report.figures import new_figure, save_figure, with_own_settings
from cnnbp.report.tables import Column, print_table
from cnnbp.training.layers_log import LayerRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHTS = "▁▂▃▄▅▆▇█"
_LONGEST = 40  # epochs side by side: of more, so many at equal distances
_MOST = 20  # layers

Layers = Mapping[str, Mapping[int, LayerRow]]


def draw_layers(layers: Layers, weights: Collection[str], console: Console) -> None:
    """Draw ‖∂L/∂W‖ of each weight over the epochs, all on one logarithmic scale; a single epoch makes no strip."""
    norms = {name: _series(rows, "gradient_norm") for name, rows in layers.items() if name in weights}
    norms = {name: values for name, values in norms.items() if len(values) > 1 and min(values) > 0}
    if not norms:
        return
    low, high = (log10(end(end(values) for values in norms.values())) for end in (min, max))
    shown = dict(islice(norms.items(), _MOST))
    columns = [
        Column("weight", [*shown]),
        Column("over the epochs", [_strip(values, low, high) for values in shown.values()], weight=1),
        Column("first", [f"{values[0]:.1e}" for values in shown.values()], "right"),
        Column("last", [f"{values[-1]:.1e}" for values in shown.values()], "right"),
    ]
    print_table(console, columns, "‖∂L/∂W‖ of the last whole batch")
    if len(norms) > _MOST:
        console.print(f"and {len(norms) - _MOST} more: layers.csv has them all")


def _series(rows: Mapping[int, LayerRow], column: str) -> list[float]:
    values = (rows[epoch][column] for epoch in sorted(rows))
    return [value for value in values if value is not None]


def _strip(values: Sequence[float], low: float, high: float) -> str:
    shown = [values[place * (len(values) - 1) // (_LONGEST - 1)] for place in range(_LONGEST)]
    shown = shown if len(values) > _LONGEST else list(values)
    span = (high - low) or 1.0
    return "".join(_HEIGHTS[round((log10(value) - low) / span * (len(_HEIGHTS) - 1))] for value in shown)


@with_own_settings
def save_layers(layers: Layers, weights: Collection[str], path: Path) -> None:
    """Draw each weight's gradient and update, and the share of zeros in what each layer gives, over the epochs."""
    figure = new_figure(13, 4)
    gradients, updates, zeros = figure.subplots(1, 3)
    trained = {name: rows for name, rows in layers.items() if name in weights}
    outputs = {name: _series(rows, "zeros") for name, rows in layers.items() if "." not in name}
    _plot(gradients, "‖∂L/∂W‖", {name: _series(rows, "gradient_norm") for name, rows in trained.items()}, "log")
    _plot(updates, "‖ΔW‖/‖W‖", {name: _ratios(rows) for name, rows in trained.items()}, "log")
    _plot(zeros, "share of zeros in the output", {name: shares for name, shares in outputs.items() if any(shares)})
    save_figure(figure, path)


def _ratios(rows: Mapping[int, LayerRow]) -> list[float]:
    pairs = zip(_series(rows, "update_norm"), _series(rows, "parameter_norm"), strict=True)
    return [update / norm if norm else 0.0 for update, norm in pairs]


def _plot(axes: "Axes", title: str, curves: Mapping[str, Sequence[float]], scale: str = "linear") -> None:
    from matplotlib.ticker import MaxNLocator

    for name, values in curves.items():
        axes.plot(range(1, len(values) + 1), values, ".-", markersize=3, label=name)
    if any(value > 0 for values in curves.values() for value in values):
        axes.set_yscale(scale)
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if 0 < len(curves) <= _MOST:
        axes.legend(fontsize=7)
