"""What `cnnbp train` shows before the first step, and what came of it."""

import shlex
from collections.abc import Sequence
from math import isnan, log
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cnnbp.arrays import format_shape
from cnnbp.config import Config
from cnnbp.data.folder import ImageFolder
from cnnbp.inspect.symbols import derive_symbols, slope
from cnnbp.network import Network
from cnnbp.report.as_trained import describe_as_trained
from cnnbp.report.confusion import draw_confusion
from cnnbp.report.console import one_line, printable
from cnnbp.report.curves import draw_curves
from cnnbp.report.formatting import format_number
from cnnbp.report.layers import Layers, draw_layers
from cnnbp.report.notes import draw_folder, draw_notes, draw_skipped_images
from cnnbp.report.tables import Column, print_table
from cnnbp.schedules import Cosine
from cnnbp.training.datasets import LeftOut
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.starting import Start
from cnnbp.training.state import TensorStep, TrainingState
from cnnbp.training.summary import Status, Summary

if TYPE_CHECKING:
    from cnnbp.gradcheck.as_trained import AsTrained

_FAR_OFF = 1.5  # times the loss of equal probabilities
_MANY_CLASSES = 12
_MANY_DUPLICATES = 10


def draw_job(job: Job, console: Console) -> None:
    """Show the classes, the images of each split and the network's totals."""
    classes = [one_line(name) for name in job.datasets.classes]
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
    if job.frozen:
        kept = sum(array.size for name, array in network.layout.zeros(bool).named() if name.split(".")[0] in job.frozen)
        frozen = f"{', '.join(job.config.train.freeze)}: {kept:,} parameters stay as they are"
        console.print(Text.assemble(("frozen   ", "bold"), frozen))
    console.print()


def draw_from(start: Start, results: Console, notes: Console) -> None:
    """Say what training starts from, what is drawn all the same, and what did not fit."""
    path = printable(str(start.source.path))
    drawn = f"; not in it: {', '.join(start.drawn)}" if start.drawn else ""
    line = f"{path}: {len(start.taken)} of {len(start.taken) + len(start.drawn)} tensors{drawn}"
    results.print(Text.assemble(("from     ", "bold"), line))
    for reason in start.unused:
        notes.print(printable(f"not taken from it: {reason}"), soft_wrap=True)
    if start.source.checkpoint is None:
        line = "which images have trained it is not known: those that validate here may be among them"
        notes.print(line, soft_wrap=True)


def draw_ranks(job: Job, hosts: Sequence[str], results: Console, notes: Console) -> None:
    """Say on how many hosts how many ranks work, and warn where a batch is cut into fewer pieces than that."""
    machines, threads, count = len(set(hosts)), job.engine.threads, job.micro_batches
    on = f"{machines} hosts" if machines > 1 else hosts[0]
    results.print(
        Text.assemble(("ranks    ", "bold"), f"{len(hosts)} on {on}, {threads} thread{'s' * (threads > 1)} each")
    )
    idle = len(hosts) - count
    if idle > 0:
        notes.print(
            f"warning: a batch of {job.batch_size} images is cut into {count} micro-batch{'es' * (count > 1)}, so "
            f"{idle} of {len(hosts)} ranks have nothing to do: a larger train.batch_size gives them work",
            style="yellow",
        )


def draw_job_notes(job: Job, console: Console) -> None:
    """Say what was skipped, what decoding had to do, and which images are in two splits."""
    datasets, folder = job.datasets, job.datasets.folder
    draw_skipped_images(datasets.bad, console)
    draw_folder(folder, console)
    draw_notes(datasets.skipped, datasets.notes, console)
    if job.last_batch > job.batch_size > 1:
        line = f"the last batch of an epoch has {job.last_batch} images: the one left over is joined to it"
        console.print(line, soft_wrap=True)
    left_out = [(image.name, _trained_by(image)) for image in datasets.left_out]
    twins = [(first, repr(second)) for first, second in datasets.twins]
    _draw_pairs("images of val and test are left out, because the same pixels train", left_out, folder, console)
    _draw_pairs("images are the same to the network as one of another class", twins, folder, console)


def _draw_pairs(what: str, pairs: Sequence[tuple[str, str]], folder: ImageFolder, console: Console) -> None:
    if pairs:
        console.print(f"warning: {len(pairs)} {what}:", style="yellow", soft_wrap=True)
    for name, other in pairs[:_MANY_DUPLICATES]:
        console.print(printable(f"  {name!r} is {other}"), soft_wrap=True)
    if len(pairs) > _MANY_DUPLICATES:
        more = f"  and {len(pairs) - _MANY_DUPLICATES} more; cnnbp data {shlex.quote(str(folder.root))} names all"
        console.print(printable(more), soft_wrap=True)


def _trained_by(image: LeftOut) -> str:
    return "an image that trained the run before" if image.twin is None else repr(image.twin)


def draw_initial_loss(loss: float, chance: float, classes: int, console: Console) -> None:
    """Compare the first batch's loss with that of equal probabilities."""
    reference = f"ln({classes}) = {log(classes):.4g}" if abs(chance - log(classes)) < 1e-6 else f"{chance:.4g}"
    far_off = not chance / _FAR_OFF < loss < chance * _FAR_OFF
    word = ": far off, so look at the initial weights and the normalisation" if far_off else ""
    console.print()
    line = f"{format_number(loss)}, and {reference} when all classes are equally probable{word}"
    console.print(Text.assemble(("initial loss ", "bold"), (line, "yellow" if far_off else "")))


def draw_own_check(found: "AsTrained | None", console: Console) -> None:
    """Say how near the first step is to the network as it is written; nothing where that was not looked at."""
    if found:
        console.print(Text.assemble(("first step   ", "bold"), describe_as_trained(found)))


def draw_other_images(difference: str, console: Console) -> None:
    """Say that a run goes on with other images, if it does."""
    if difference:
        console.print(printable(f"other images than before: {difference}"), style="yellow", soft_wrap=True)
        console.print("what has trained the run still trains it, and what validated it validates it")


def draw_resumed(before: Config, job: Job, state: TrainingState, console: Console) -> None:
    """Say where a run goes on, and what a later end does to the learning rate."""
    epochs, steps = job.config.train.epochs, state.sums.steps
    place = f"in epoch {state.epoch + 1}, after {steps} of {job.steps_per_epoch} steps"
    console.print(f"going on {place if steps else f'after epoch {state.epoch}'} of {epochs}", style="bold")
    if epochs != before.train.epochs and isinstance(job.config.train.schedule, Cosine):
        console.print(f"the cosine is stretched: it ends at epoch {epochs} instead of {before.train.epochs}")


def draw_finished(run: Path, epochs: int, status: Status, console: Console) -> None:
    """Say that there is nothing left to do."""
    early = status == "stopped early"
    end = f"it stopped early after epoch {epochs}" if early else f"all {epochs} epochs are done"
    console.print(f"{printable(str(run))} is finished: {end}, nothing was changed")
    more = "train.early_stopping.patience=N and --allow-changes" if early else "train.epochs=N"
    console.print(f"{more} after it trains on", style="dim")


def draw_gradients(steps: Sequence[TensorStep], network: Network, console: Console, title: str) -> None:
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
        Column("mean", [format_number(step.gradient_mean) for step in steps], "right", 50),
        Column("std", [format_number(step.gradient_std) for step in steps], "right", 55),
        Column("‖Δθ‖/‖θ‖", [_ratio(step.update_ratio) for step in steps], "right", 60),
    ]
    print_table(console, columns, title)


def _ratio(value: float) -> str:
    return "–" if isnan(value) else f"{value:.1e}"


def draw_result(
    job: Job, state: TrainingState, summary: Summary, evaluated: Measurement | None, layers: Layers, console: Console
) -> None:
    """Draw curves, layers over the epochs, gradients and the confusion matrix, and say where everything is."""
    console.print()
    draw_curves(state.history, console)
    draw_layers(layers, job.weights, console)
    console.print()
    step = state.step - job.steps_per_epoch + job.whole_steps
    draw_gradients(
        state.last_step, job.config.network, console, f"Batch gradients at step {step}, the last whole batch"
    )
    if evaluated:
        console.print()
        counts = evaluated.confusion(len(summary.classes))
        draw_confusion(counts, summary.classes, f"{evaluated.subset.name} images, best checkpoint", console)
    console.print()
    draw_summary(summary, console)


def draw_summary(summary: Summary, console: Console) -> None:
    """Say in a few lines how it went, where the files are and what to do next."""
    best, evaluation, run = summary.best, summary.evaluation, shlex.quote(printable(summary.run))
    if summary.status == "stopped early":
        console.print(f"stopped early after epoch {summary.epochs}: the loss no longer improved")
    if best:
        accuracy = "" if best.val_accuracy is None else f", accuracy {best.val_accuracy:.1%}"
        loss = f"{'training' if best.val_loss is None else 'validation'} loss {best.monitored_loss:.4g}"
        console.print(f"best epoch {best.epoch} of {summary.epochs}: {loss}{accuracy}")
    if evaluation:
        line = f"{evaluation.split} accuracy {evaluation.accuracy:.2%}, loss {evaluation.loss:.4g}"
        console.print(f"{line} ({evaluation.images} images)", style="bold green")
    console.print(f"{summary.seconds:.1f} s of training; files in {run}", soft_wrap=True)
    console.print()
    commands = _next_commands(summary, run)
    lines = [f"cnnbp {command:<{max(map(len, commands))}}" for command in commands]
    for place, (line, purpose) in enumerate(zip(lines, commands.values(), strict=True)):
        text = Text.assemble(("      " if place else "next  ", "bold"), line)
        if text.cell_len + len(purpose) + 2 <= console.width:
            text.append(f"  {purpose}", "dim")
        console.print(text, soft_wrap=True)


def _next_commands(summary: Summary, run: str) -> dict[str, str]:
    """Return what can be typed next, each with what it is good for."""
    run += " --trust" * bool(summary.imported)
    if summary.status == "interrupted":
        return {f"train --resume {run}": "goes on as if it had never stopped"}
    return {
        f"evaluate {run}": "each class, and the worst images",
        f"predict {run} IMAGE…": "the classes of other images",
        f"grads {run}": "one batch under the microscope",
    }
