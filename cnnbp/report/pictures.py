"""PNG files: the curves and the confusion matrix. matplotlib is loaded only when one is drawn, and needs no display."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnbp.arrays import Array
from cnnbp.training.files import written_whole
from cnnbp.training.metrics import EpochMetrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 120
_NUMBERS_UP_TO = 20  # classes: beyond, the cells are too small to be written in


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
    names = [name.replace("$", r"\$") for name in classes]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true")
    if len(names) <= _NUMBERS_UP_TO:
        for (row, column), count in ((place, counts[place]) for place in zip(*counts.nonzero(), strict=True)):
            shade = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=shade)
    _save(figure, path)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: Path) -> None:
    with written_whole(path) as file:
        figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
