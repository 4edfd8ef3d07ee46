"""`cnnbp train`: train a network on an image folder, and write a run directory."""

from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console

from cnnbp.cli.common import Common, ConfigFile, DataAndOverrides, load_job, verb
from cnnbp.config import Config
from cnnbp.engine import available_cores
from cnnbp.inspect.shapes import network_shapes
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.pictures import save_confusion, save_curves
from cnnbp.report.progress import progress_bar
from cnnbp.report.shapes import draw_shapes
from cnnbp.report.train import EpochRows, draw_initial_loss, draw_job, draw_notes, draw_result
from cnnbp.training import loop
from cnnbp.training.checkpoint import load_checkpoint
from cnnbp.training.datasets import Datasets, load_datasets
from cnnbp.training.environment import describe_environment
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.recorder import Recorder
from cnnbp.training.run_directory import RunDirectory, new_run_directory
from cnnbp.training.state import TrainingState
from cnnbp.training.summary import summarize
from cnnbp.training.watch import chance_loss, initial_loss


@dataclass(frozen=True)
class Screen:
    """Where results and notes are shown."""

    results: Console
    notes: Console


@verb
def train(
    config: ConfigFile,
    arguments: DataAndOverrides = None,
    *,
    run: Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory, by default runs/CONFIG.")] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Write PNGs into the run directory.")] = True,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without images that cannot be read.")] = False,
    common: Common,
) -> None:
    """Train, and show shapes, batch gradients and curves."""
    settings = load_job(config, arguments, common)
    notes = notes_console(quiet=common.quiet)
    screen = Screen(notes_console(quiet=True) if common.json else results_console(), notes)
    threads = common.threads or available_cores()
    datasets = _load(settings, skip_bad, threads, notes)
    job = Job.of(settings, datasets, threads=threads)
    with job.engine:
        state = TrainingState.initial(settings)
        _show_start(job, state, screen)
        directory = _prepare(job, new_run_directory(run, config.stem))
        seconds = _run(job, state, directory, screen)
        _finish(job, state, directory, seconds, screen, plots=plots)


def _load(config: Config, skip_bad: bool, threads: int, notes: Console) -> Datasets:
    with progress_bar(notes) as bar:
        return load_datasets(
            config,
            skip_bad=skip_bad,
            threads=threads,
            progress=lambda split, done, total: bar.show(f"decoding {split}", done, total),
        )


def _show_start(job: Job, state: TrainingState, screen: Screen) -> None:
    draw_job(job, screen.results)
    draw_notes(job, screen.notes)
    draw_shapes(network_shapes(job.config.network, job.config.loss, job.batch_size), screen.results)
    draw_initial_loss(initial_loss(job, state), chance_loss(job), len(job.datasets.classes), screen.results)


def _prepare(job: Job, directory: RunDirectory) -> RunDirectory:
    directory.write_config(job.config)
    directory.write_split(job.datasets)
    directory.write_environment(describe_environment(job.engine.threads))
    directory.metrics.start_from([])
    return directory


def _run(job: Job, state: TrainingState, directory: RunDirectory, screen: Screen) -> float:
    """Train to the end; return the seconds that it took."""
    started = perf_counter()
    recorder = Recorder(job, state, directory, images=job.datasets.digest)
    with progress_bar(screen.notes) as bar:
        rows = EpochRows(job.config.train.epochs, screen.notes, bar)
        for event in recorder.watch(loop.train(job, state)):
            rows.show(event, len(job.datasets.train))
    recorder.save()
    return perf_counter() - started


def _finish(
    job: Job, state: TrainingState, directory: RunDirectory, seconds: float, screen: Screen, *, plots: bool
) -> None:
    """Measure the best checkpoint, and write and show what came of the run."""
    evaluated = _evaluate(job, load_checkpoint(directory.best).state, screen.notes)
    summary = summarize(job, state, "finished", run=str(directory.path), seconds=seconds, evaluated=evaluated)
    directory.write_json("summary.json", asdict(summary))
    counts = evaluated.confusion(len(summary.classes))
    directory.write_confusion(counts, summary.classes)
    if plots:
        save_curves(state.history, directory.path / "curves.png")
        save_confusion(counts, summary.classes, directory.path / "confusion.png")
    draw_result(summary, state.history, state.last_step, evaluated, job.config.network, screen.results)


def _evaluate(job: Job, best: TrainingState, notes: Console) -> Measurement:
    """Run the test images through the network; without any, those that validated, and at last those that trained."""
    subset = next(part for part in (job.datasets.test, job.datasets.validation, job.datasets.train) if part)
    with progress_bar(notes) as bar:
        return job.measure(best, subset, lambda done: bar.show(f"evaluating {subset.name}", done, len(subset)))
