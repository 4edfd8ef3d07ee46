"""What all ways of training share: their options, the two consoles, and how a job is loaded and shown."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from rich.console import Console

from cnnbp.cli.common import Common
from cnnbp.config import Config, dump_config
from cnnbp.engine.ranks import Ranks, gather_texts, require_same
from cnnbp.inspect.shapes import network_shapes
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.progress import progress_bar
from cnnbp.report.ranks import draw_ranks
from cnnbp.report.shapes import draw_shapes
from cnnbp.report.train import draw_initial_loss, draw_job, draw_job_notes
from cnnbp.training.checkpoint import without_data_path
from cnnbp.training.datasets import Datasets
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
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
    ranks: Ranks

    @cached_property
    def threads(self) -> int:
        """How many cores each rank uses."""
        return self.common.threads or self.ranks.cores


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
    require_same("settings", dump_config(without_data_path(config)), options.ranks)
    with progress_bar(screen.notes) as bar:
        datasets = load_datasets(
            config,
            skip_bad=options.skip_bad,
            threads=options.threads,
            progress=lambda split, done, total: bar.show(f"decoding {split}", done, total),
            ranks=options.ranks,
        )
    job = Job.of(config, select(datasets), threads=options.threads, ranks=options.ranks)
    draw_job(job, screen.results)
    if options.ranks.size > 1:
        draw_ranks(job, gather_texts(options.ranks.host, options.ranks), screen.results, screen.notes)
    draw_job_notes(job, screen.notes)
    return job


def show_start(job: Job, state: TrainingState, screen: Screen) -> None:
    """Show the shapes, and what the loss is before anything is learned."""
    draw_shapes(network_shapes(job.config.network, job.config.loss, job.batch_size), screen.results)
    draw_initial_loss(job.initial_loss(state), job.chance_loss, len(job.datasets.classes), screen.results)
