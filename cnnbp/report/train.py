"""What `cnnbp train` shows: the job before the first step, a row for each epoch, and what came of it."""

from collections.abc import Sequence
from math import isnan, log

from rich.console import Console
from rich.text import Text

from cnnbp.arrays import format_shape
from cnnbp.inspect.symbols import derive_symbols, slope
from cnnbp.network import Network
from cnnbp.report.confusion import draw_confusion
from cnnbp.report.console import printable
from cnnbp.report.curves import draw_curves
from cnnbp.report.formatting import format_count, format_number
from cnnbp.report.progress import Bar
from cnnbp.report.tables import Column, print_table
from cnnbp.training.gradients import TensorStep
from cnnbp.training.job import Job
from cnnbp.training.loop import EpochEvent, Event, StepEvent, ValidationEvent
from cnnbp.training.measure import Measurement
from cnnbp.training.metrics import EpochMetrics
from cnnbp.training.summary import Summary

_FAR_OFF = 1.5  # times the loss of equal probabilities
_MANY_CLASSES = 12


def draw_job(job: Job, console: Console) -> None:
    """Show the classes, the images of each split and the network's totals."""
    classes = [printable(name) for name in job.datasets.classes]
    names = ", ".join(classes[:_MANY_CLASSES]) + ", …" * (len(classes) > _MANY_CLASSES)
    counts = ", ".join(f"{len(subset)} {name}" for name, subset in job.datasets.splits.items())
    network = job.config.network
    steps = f"{job.steps_per_epoch} steps of {job.batch_size} images"
    console.print(Text.assemble(("classes  ", "bold"), f"{len(classes)}: {names}"))
    console.print(Text.assemble(("images   ", "bold"), counts))
    console.print(
        Text.assemble(("network  ", "bold"), f"{len(network.nodes)} layers, {network.layout.size:,} parameters")
    )
    console.print(Text.assemble(("training ", "bold"), f"{job.config.train.epochs} epochs of {steps}"))


def draw_notes(job: Job, console: Console) -> None:
    """Say what was skipped, what decoding had to do, and which images are in two splits."""
    for reason, count in job.datasets.skipped.items():
        console.print(f"skipped {count} {reason}")
    for note, count in job.datasets.notes.items():
        console.print(f"{count} images {note}")
    duplicates = job.datasets.duplicates
    if duplicates:
        first = " and ".join(map(repr, duplicates[0]))
        console.print(f"warning: {len(duplicates)} images outside training are also in it, as {first}", style="yellow")


def draw_initial_loss(loss: float, chance: float, classes: int, console: Console) -> None:
    """Compare the first batch's loss with that of equal probabilities."""
    reference = f"ln({classes}) = {log(classes):.4g}" if abs(chance - log(classes)) < 1e-6 else f"{chance:.4g}"
    far_off = not chance / _FAR_OFF < loss < chance * _FAR_OFF
    word = ": far off, so look at the initial weights and the normalisation" if far_off else ""
    line = f"{format_number(loss)}, and {reference} when all classes are equally probable{word}"
    console.print(Text.assemble(("initial loss ", "bold"), (line, "yellow" if far_off else "")))


class EpochRows:
    """A row for each epoch: columns in a terminal, a plain line without one. The bar below shows the one under way."""

    _HEADERS = (" epoch", "train loss", "val loss", "val acc", "lr", "‖∂L/∂θ‖", "‖Δθ‖/‖θ‖", "images/s", "")

    def __init__(self, epochs: int, console: Console, bar: Bar) -> None:
        self.epochs, self.console, self.bar = epochs, console, bar
        self.best: EpochMetrics | None = None
        self.total, self.images = 0.0, 0

    def show(self, event: Event, images_per_epoch: int) -> None:
        """Show what just happened."""
        match event:
            case StepEvent():
                self._step(event, images_per_epoch)
            case ValidationEvent():
                self.bar.show(f"epoch {event.epoch}/{self.epochs} validation", event.done, event.total)
            case EpochEvent():
                self._row(event)
                self.total, self.images = 0.0, 0

    def _step(self, event: StepEvent, images_per_epoch: int) -> None:
        self.total += event.loss * event.images
        self.images += event.images
        what = f"epoch {event.epoch}/{self.epochs}"
        self.bar.show(what, self.images, images_per_epoch, lambda: f"loss {self.total / self.images:.4f}")

    def _row(self, event: EpochEvent) -> None:
        is_best = self.best is None or event.metrics.monitored_loss < self.best.monitored_loss
        self.best = event.metrics if is_best else self.best
        cells = self._cells(event, is_best)
        if not self.console.is_terminal:
            named = zip(self._HEADERS, cells, strict=True)
            self.console.print("  ".join(f"{header.strip()} {cell}".strip() for header, cell in named if cell))
            return
        widths = [max(len(header), 8) for header in self._HEADERS]
        if event.metrics.epoch == 1:
            self.console.print(_aligned(self._HEADERS, widths), style="bold")
        self.console.print(_aligned(cells, widths), style="green" if is_best else "")

    def _cells(self, event: EpochEvent, is_best: bool) -> list[str]:
        metrics = event.metrics
        return [
            f"{metrics.epoch}/{self.epochs}",
            f"{metrics.train_loss:.4f}",
            "" if metrics.val_loss is None else f"{metrics.val_loss:.4f}",
            "" if metrics.val_accuracy is None else f"{metrics.val_accuracy:.1%}",
            f"{metrics.lr:.2e}",
            f"{metrics.grad_norm:.3g}",
            f"{metrics.update_ratio:.1e}",
            format_count(event.images_per_second),
            "best" if is_best else "",
        ]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def draw_gradients(steps: Sequence[TensorStep], network: Network, console: Console) -> None:
    """Print the batch gradient of each parameter at one step."""
    symbols = derive_symbols(network).parameters
    names = [step.name.rpartition(".")[::2] for step in steps]
    columns = [
        Column("parameter", [step.name for step in steps]),
        Column("gradient", [slope(symbols[layer][name]) for layer, name in names]),
        Column("shape", [format_shape(step.shape) for step in steps], weight=90),
        Column("‖∂L/∂θ‖", [format_number(step.gradient_norm) for step in steps], "right"),
        Column("‖θ‖", [format_number(step.parameter_norm) for step in steps], "right", 80),
        Column("ratio", [_ratio(step.gradient_ratio) for step in steps], "right", 70),
        Column("mean", [format_number(step.gradient_mean) for step in steps], "right", 60),
        Column("std", [format_number(step.gradient_std) for step in steps], "right", 60),
        Column("‖Δθ‖/‖θ‖", [_ratio(step.update_ratio) for step in steps], "right", 50),
    ]
    print_table(console, columns, "batch gradients at the last step")


def _ratio(value: float) -> str:
    return "–" if isnan(value) else f"{value:.1e}"


def draw_result(
    summary: Summary,
    history: Sequence[EpochMetrics],
    steps: Sequence[TensorStep],
    evaluated: Measurement | None,
    network: Network,
    console: Console,
) -> None:
    """Draw the curves, the gradients and the confusion matrix, and say where everything is."""
    draw_curves(history, console)
    draw_gradients(steps, network, console)
    if evaluated:
        console.print()
        counts = evaluated.confusion(len(summary.classes))
        draw_confusion(counts, summary.classes, f"{evaluated.subset.name} images, best checkpoint", console)
    draw_summary(summary, console)


def draw_summary(summary: Summary, console: Console) -> None:
    """Say in a few lines how it went, where the files are and what to do next."""
    best, evaluation, run = summary.best, summary.evaluation, printable(summary.run)
    console.print()
    if best:
        accuracy = "" if best.val_accuracy is None else f", accuracy {best.val_accuracy:.1%}"
        loss = f"{'validation' if best.val_loss is not None else 'training'} loss {best.monitored_loss:.4g}"
        console.print(f"best epoch {best.epoch} of {summary.epochs}: {loss}{accuracy}")
    if evaluation:
        line = f"{evaluation.split} accuracy {evaluation.accuracy:.2%}, loss {evaluation.loss:.4g}"
        console.print(f"{line} ({evaluation.images} images)", style="bold green")
    console.print(f"files in {run}   {summary.seconds:.1f} s of training")
    console.print(f"next     cnnbp grads {run}", style="dim")
