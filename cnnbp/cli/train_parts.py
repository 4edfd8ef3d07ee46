"""What all ways of training share: their options, the two consoles, and how a job is loaded and shown."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console

from cnnbp.cli.common import Common
from cnnbp.config import Config
from cnnbp.engine import available_cores
from cnnbp.inspect.shapes import network_shapes
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.progress import progress_bar
from cnnbp.report.shapes import draw_shapes
from cnnbp.report.train import draw_initial_loss, draw_job, draw_job_notes
from cnnbp.training.datasets import Datasets, load_datasets
from cnnbp.training.job import Job
from cnnbp.training.state import TrainingState


@dataclass(frozen=True)
class TrainOptions:
    """The command line's options, other than what chooses between the ways of training."""

    run: Path | None
    allow_changes: bool
    grads: int | None
    plots: bool
    skip_bad: bool
    common: Common

    @property
    def threads(self) -> int:
        """How many cores to use."""
        return self.common.threads or available_cores()


@dataclass(frozen=True)
class Screen:
    """Where results and notes are shown; with --json no results."""

    results: Console
    notes: Console

    @classmethod
    def of(cls, common: Common) -> Self:
        """Return the two consoles that the common options ask for."""
        results = notes_console(quiet=True) if common.json else results_console()
        return cls(results, notes_console(quiet=common.quiet))


def load(
    config: Config, options: TrainOptions, screen: Screen, select: Callable[[Datasets], Datasets] = lambda data: data
) -> Job:
    """Scan and decode the images, and return the job; `select` narrows what was found."""
    with progress_bar(screen.notes) as bar:
        datasets = load_datasets(
            config,
            skip_bad=options.skip_bad,
            threads=options.threads,
            progress=lambda split, done, total: bar.show(f"decoding {split}", done, total),
        )
    job = Job.of(config, select(datasets), threads=options.threads)
    draw_job(job, screen.results)
    draw_job_notes(job, screen.notes)
    return job


def show_start(job: Job, state: TrainingState, screen: Screen) -> None:
    """Show the shapes, and what the loss is before anything is learned."""
    draw_shapes(network_shapes(job.config.network, job.config.loss, job.batch_size), screen.results)
    draw_initial_loss(job.initial_loss(state), job.chance_loss, len(job.datasets.classes), screen.results)
