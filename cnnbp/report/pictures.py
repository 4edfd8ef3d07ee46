"""PNG files of a run. matplotlib is loaded only when one is drawn, and needs no display."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers.conv import Conv2d
from cnnbp.parameters import Parameters
from cnnbp.report.console import one_line
from cnnbp.report.curves import spans_decades
from cnnbp.report.figures import new_figure, save_figure, with_own_settings, write_figure
from cnnbp.report.layers import save_layers
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.run_directory import RunDirectory
from cnnbp.training.state import EpochMetrics, best_epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CONTACT_SHEET, _COLUMNS = 32, 8  # images, and how many of them side by side
_LONGEST_NAME, _LONGEST_IN_TILE = 24, 17  # characters
_NUMBERS_UP_TO = 20  # classes: beyond, the cells are too small to be written in


def save_pictures(
    history: Sequence[EpochMetrics], best: Parameters, job: Job, evaluated: Measurement, folder: Path
) -> Iterator[str]:
    """Write every picture of a run; filters.png and misclassified.png only where there is something to show.

    Yields what went wrong: no picture is worth a result, or another picture.
    """
    classes = job.datasets.classes
    title = f"{len(evaluated.subset)} {evaluated.subset.name} images, {evaluated.accuracy:.1%} right"
    pictures: dict[str, Callable[[Path], None]] = {
        "curves.png": partial(save_curves, history, job.config.train.keep),
        "confusion.png": partial(save_confusion, evaluated.confusion(len(classes)), classes, title),
    }
    first = job.config.network.nodes[0]
    if isinstance(first.layer, Conv2d):
        pictures["filters.png"] = partial(save_filters, best[first.name]["W"], first.name)
    if evaluated.misclassified.size:
        pictures["misclassified.png"] = partial(save_misclassified, evaluated, classes)
    if layers := RunDirectory(folder).layers.by_tensor():
        pictures["layers.png"] = partial(save_layers, layers, job.weights)
    for name, save in pictures.items():
        try:
            save(folder / name)
        except Exception as error:  # of matplotlib, its fonts, the disk, or an image file that is gone
            yield f"{name} could not be drawn: {error or type(error).__name__}"


@with_own_settings
def save_curves(history: Sequence[EpochMetrics], keep: str, path: Path) -> None:
    """Draw loss and accuracy over the epochs, side by side, and where the best epoch is."""
    save_figure(_curves(history, keep), path)


@with_own_settings
def curves_png(history: Sequence[EpochMetrics], keep: str) -> bytes:
    """Return the same as the bytes of a PNG."""
    buffer = BytesIO()
    write_figure(_curves(history, keep), buffer)
    return buffer.getvalue()


def _curves(history: Sequence[EpochMetrics], keep: str) -> "Figure":
    figure = new_figure(10, 4)
    loss, accuracy = figure.subplots(1, 2)
    losses = [metrics.train_loss for metrics in history], [metrics.val_loss for metrics in history]
    if history and spans_decades([*losses[0], *losses[1]]):
        loss.set_yscale("log")
        loss.yaxis.set_major_formatter("{x:g}")
    best = best_epoch(history, keep)
    _curve(loss, "loss", history, best, *losses)
    accuracy.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}" if share <= 1 else "")
    accuracies = [m.train_accuracy for m in history], [m.val_accuracy for m in history]
    _curve(accuracy, "accuracy", history, best, *accuracies)
    return figure


def _curve(
    axes: "Axes",
    title: str,
    history: Sequence[EpochMetrics],
    best: EpochMetrics | None,
    train: Sequence[float],
    validation: Sequence[float | None],
) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = [metrics.epoch for metrics in history]
    axes.plot(epochs, train, ".-" if len(epochs) == 1 else "-", label="train")
    measured = [value for value in validation if value is not None]
    if measured:  # then it was in every epoch
        axes.plot(epochs, measured, "o--", markersize=3, label="validation")
    if best:
        axes.axvline(best.epoch, color="grey", linewidth=1, linestyle=":", label=f"best epoch, {best.epoch}")
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()


@with_own_settings
def save_confusion(counts: Array, classes: Sequence[str], title: str, path: Path) -> None:
    """Draw counts (classes, classes), rows true and columns predicted: right ones blue, mistakes red.

    The colour is the share of the row; that of mistakes is its square root, so that a single one is seen.
    """
    side = min(3.5 + 0.45 * len(classes), 20)
    figure = new_figure(side, side)
    axes = figure.subplots()
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    right = np.eye(len(classes), dtype=bool)
    axes.imshow(np.where(right, shares, np.nan), cmap="Blues", vmin=0, vmax=1)
    axes.imshow(np.where(right | (counts == 0), np.nan, np.sqrt(shares)), cmap="Reds", vmin=0, vmax=1)
    names = [_plain(name) for name in classes]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(title=title, xlabel="taken for", ylabel="true class")
    if len(names) <= _NUMBERS_UP_TO:
        for row, column in np.argwhere(counts):
            shade = "white" if (row == column and shares[row, column] > 0.5) else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=shade)
        axes.set_xticks(np.arange(1, len(names)) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, len(names)) - 0.5, minor=True)
        axes.grid(which="minor", color="0.9", linewidth=0.6)
        axes.tick_params(which="minor", length=0)
    save_figure(figure, path)


@with_own_settings
def save_filters(weights: Array, name: str, path: Path) -> None:
    """Draw the filters (F, C, kH, kW) of a layer, all on one scale.

    Three channels are a colour each; of other numbers of channels the mean is drawn.
    """
    count, channels = weights.shape[:2]
    in_colour = channels == 3
    tiles = weights.transpose(0, 2, 3, 1) if in_colour else weights.mean(axis=1)[..., None]
    largest = float(np.abs(tiles).max()) or 1.0
    sheet, columns, rows = sheet_of(0.5 + tiles / (2 * largest) if in_colour else tiles)
    figure = new_figure(max(0.75 * columns + 1.2, 5), max(0.75 * rows * weights.shape[2] / weights.shape[3], 1) + 0.6)
    axes = figure.subplots()
    meaning = "a colour is what it looks for, grey is 0" if in_colour else "red adds, blue subtracts"
    of_many = f", the mean over {channels} channels" if channels not in (1, 3) else ""
    axes.set_title(f"{count} filter{'s' * (count > 1)} of {name}{of_many}: {meaning}", fontsize=9)
    image = axes.imshow(sheet, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    if not in_colour:
        figure.colorbar(image, ax=axes, shrink=0.9)
    axes.set_axis_off()
    save_figure(figure, path)


@with_own_settings
def save_misclassified(measurement: Measurement, classes: Sequence[str], path: Path) -> None:
    """Draw the misclassified images with the largest losses: file, true → predicted class with probabilities.

    All stand in one system of axes, in inches from the top left: one for each would take a second.
    """
    worst = measurement.misclassified[:_CONTACT_SHEET]
    subset, probabilities = measurement.subset, measurement.probabilities()
    pixels = subset.images.take(subset.indices[worst])  # (m, C, H, W)
    columns = min(len(worst), _COLUMNS)
    rows = -(-len(worst) // columns)
    side, title, words = 1.6, 0.35, 0.55
    tall = side * pixels.shape[2] / pixels.shape[3]
    width, height = max(side * columns, 4), title + rows * (words + tall)
    figure = new_figure(width, height, arranged=False)
    found = len(measurement.misclassified)
    shown = f", the worst {len(worst)}" if found > len(worst) else ", the worst first" * (found > 1)
    head = f"{found} of {len(subset)} {subset.name} images misclassified{shown}"
    figure.suptitle(head, fontsize=10, y=1 - 0.08 / height, va="top")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for place, index in enumerate(worst):
        lines = [_plain(subset.names[index])]
        for arrow, label in (("", subset.labels[index]), ("→ ", measurement.predictions[index])):
            share = f"{probabilities[label, index]:.0%}"
            lines.append(f"{arrow}{_plain(classes[label], _LONGEST_IN_TILE)}: {share}")
        left, top = side * (place % columns), title + (words + tall) * (place // columns) + words
        extent = (left + 0.04, left + side - 0.04, top + tall - 0.04, top)
        axes.imshow(_visible(pixels[place]), cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=extent)
        axes.text(left + side / 2, top - 0.03, "\n".join(lines), fontsize=7, ha="center", va="bottom")
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    save_figure(figure, path)


def _visible(pixels: Array) -> Array:
    """Return an image (C, H, W) as (H, W, C) uint8: floats on their own scale, channels that are no colours as grey."""
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = ((pixels - low) * (255 / (high - low or 1))).astype(np.uint8)
    channels = pixels if len(pixels) in (1, 3, 4) else pixels.mean(axis=0, keepdims=True)
    return channels.transpose(1, 2, 0)


def sheet_of(tiles: Array) -> tuple[Array, int, int]:
    """Lay tiles (n, h, w, c) out in rows, one empty pixel between them; return the sheet, its columns and rows."""
    n, height, width, channels = tiles.shape
    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), 1.0 if channels == 3 else np.nan)
    for index, tile in enumerate(tiles):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        sheet[top : top + height, left : left + width] = tile
    return sheet, columns, rows


def _plain(name: str, longest: int = _LONGEST_NAME) -> str:
    """Write a name so that matplotlib takes it as it is; of a long one the middle is left out."""
    name = one_line(name)
    if len(name) > longest:
        start = longest // 3
        name = f"{name[:start]}…{name[start + 1 - longest :]}"
    return name.replace("$", r"\$")
