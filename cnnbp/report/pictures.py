"""PNG files of a run. matplotlib is loaded only when one is drawn, and needs no display."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers.conv import Conv2d
from cnnbp.parameters import Parameters
from cnnbp.report.console import printable
from cnnbp.training.files import written_whole
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.metrics import EpochMetrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 120
_CONTACT_SHEET, _COLUMNS = 32, 8  # images, and how many of them side by side
_LONGEST_NAME = 24  # characters
_NUMBERS_UP_TO = 20  # classes: beyond, the cells are too small to be written in


def save_pictures(
    history: Sequence[EpochMetrics], best: Parameters, job: Job, evaluated: Measurement, folder: Path
) -> None:
    """Write every picture of a run; filters.png and misclassified.png only where there is something to show."""
    classes = job.datasets.classes
    save_curves(history, folder / "curves.png")
    save_confusion(evaluated.confusion(len(classes)), classes, folder / "confusion.png")
    first = job.config.network.nodes[0]
    if isinstance(first.layer, Conv2d):
        save_filters(best[first.name]["W"], first.name, folder / "filters.png")
    if evaluated.misclassified.size:
        save_misclassified(evaluated, classes, folder / "misclassified.png")


def save_curves(history: Sequence[EpochMetrics], path: Path) -> None:
    """Draw loss and accuracy over the epochs, side by side."""
    figure = _figure(10, 4)
    epochs = [metrics.epoch for metrics in history]
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(epochs, [metrics.train_loss for metrics in history], label="train")
    accuracy.plot(epochs, [metrics.train_accuracy for metrics in history], label="train")
    if history and history[0].val_loss is not None:
        loss.plot(epochs, [metrics.val_loss for metrics in history], "o--", markersize=3, label="validation")
        accuracy.plot(epochs, [metrics.val_accuracy for metrics in history], "o--", markersize=3, label="validation")
    for axes, title in ((loss, "loss"), (accuracy, "accuracy")):
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def save_confusion(counts: Array, classes: Sequence[str], path: Path) -> None:
    """Draw counts (classes, classes) as a map, rows true and columns predicted, coloured by the share of the row."""
    side = min(3 + 0.5 * len(classes), 20)
    figure = _figure(side, side)
    axes = figure.subplots()
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [_plain(name) for name in classes]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true")
    if len(names) <= _NUMBERS_UP_TO:
        for (row, column), count in ((place, counts[place]) for place in zip(*counts.nonzero(), strict=True)):
            shade = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=shade)
    _save(figure, path)


def save_filters(weights: Array, name: str, path: Path) -> None:
    """Draw the filters (F, C, kH, kW) of the first layer, all on one scale; three channels in colour."""
    largest = float(np.abs(weights).max()) or 1.0
    shades = 0.5 + weights / (2 * largest)  # 0 is the middle grey
    tiles = shades.transpose(0, 2, 3, 1) if weights.shape[1] == 3 else shades.mean(axis=1)[..., None]
    sheet, columns, rows = _sheet(tiles)
    figure = _figure(min(columns, 16) * 0.7 + 0.5, rows * 0.7 + 0.8)
    axes = figure.subplots()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(f"{len(weights)} filters of {name}, ±{largest:.2g}")
    axes.set_axis_off()
    _save(figure, path)


def save_misclassified(measurement: Measurement, classes: Sequence[str], path: Path) -> None:
    """Draw the misclassified images with the largest losses: file, true class → predicted class and its probability."""
    worst = measurement.misclassified[:_CONTACT_SHEET]
    subset, probabilities = measurement.subset, measurement.probabilities()
    pixels = subset.images.take(subset.indices[worst])  # (m, C, H, W)
    columns = min(len(worst), _COLUMNS)
    rows = -(-len(worst) // columns)
    figure = _figure(1.6 * columns, 2 * rows + 0.4)
    found = len(measurement.misclassified)
    figure.suptitle(f"{found} of {len(subset)} {subset.name} images misclassified" + ", the worst first" * (found > 1))
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if place < len(worst):
            index = worst[place]
            guess = measurement.predictions[index]
            right, taken = (_plain(classes[label]) for label in (subset.labels[index], guess))
            axes.imshow(pixels[place].transpose(1, 2, 0), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            name = _plain(subset.names[index], keep_end=True)
            axes.set_title(f"{name}\n{right} → {taken} {probabilities[guess, index]:.0%}", fontsize=7)
    _save(figure, path)


def _sheet(tiles: Array) -> tuple[Array, int, int]:
    """Lay tiles (n, h, w, c) out in rows, one white pixel between them; return the sheet, its columns and rows."""
    n, height, width, channels = tiles.shape
    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    sheet = np.ones((rows * (height + 1) - 1, columns * (width + 1) - 1, channels))
    for index, tile in enumerate(tiles):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        sheet[top : top + height, left : left + width] = tile
    return sheet, columns, rows


def _plain(name: str, *, keep_end: bool = False) -> str:
    """Write a name so that matplotlib takes it as it is, cut to a tile's width."""
    name = printable(name)
    if len(name) > _LONGEST_NAME:
        name = "…" + name[1 - _LONGEST_NAME :] if keep_end else name[: _LONGEST_NAME - 1] + "…"
    return name.replace("$", r"\$")


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: Path) -> None:
    with written_whole(path) as file:
        figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
