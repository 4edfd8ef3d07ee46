"""A run from its start to its end: a new one, or one that goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from cnnbp.cli.common import Common
from cnnbp.cli.interruption import Interruption
from cnnbp.cli.streams import StdoutLost
from cnnbp.config import Config, dump_config, require_own_layers_to_work, require_that_it_can_be_written
from cnnbp.engine.ranks import Ranks, gather_texts, require_same
from cnnbp.inspect.costs import network_shapes
from cnnbp.inspect.glance import glance
from cnnbp.porting.files import load_tensors
from cnnbp.report import train as report
from cnnbp.report.console import notes_console, printable, results_console
from cnnbp.report.document import write_json
from cnnbp.report.epochs import EpochRows
from cnnbp.report.noise import draw_noise
from cnnbp.report.pictures import save_pictures
from cnnbp.report.progress import Bar, progress_bar
from cnnbp.report.shapes import draw_shapes
from cnnbp.training import loop, recorder
from cnnbp.training.checkpoint import Checkpoint, load_checkpoint, share_checkpoint, share_config, without_paths
from cnnbp.training.concerns import Concern
from cnnbp.training.datasets import Datasets
from cnnbp.training.ending import divergence_written, evaluated, summary_of, write_end
from cnnbp.training.job import Job
from cnnbp.training.known import KnownImages
from cnnbp.training.loading import load_datasets
from cnnbp.training.loop import EpochEvent
from cnnbp.training.measure import Measurement
from cnnbp.training.recorder import Follower, Recorder
from cnnbp.training.resume import (
    adapted_state,
    newest_checkpoint,
    other_images,
    refuse_changes,
    refuse_other_images,
)
from cnnbp.training.run_directory import (
    RunDirectory,
    claimed,
    existing_run_directory,
    new_run_directory,
    refuse_used,
)
from cnnbp.training.starting import Source, start_from
from cnnbp.training.state import TrainingState
from cnnbp.training.trained import load_trained

if TYPE_CHECKING:
    from cnnbp.gradcheck.as_trained import AsTrained


@dataclass(frozen=True)
class TrainOptions:
    """The command line's options, other than what chooses between the ways of training."""

    run: Path | None
    start: Path | None
    allow_changes: bool
    grads: int | None
    plots: bool
    check: bool
    trust: bool
    common: Common
    ranks: Ranks

    @cached_property
    def threads(self) -> int:
        """How many cores each rank uses."""
        return self.common.threads or self.ranks.cores

    @cached_property
    def results(self) -> Console:
        """Where results are shown; with --json nowhere, for then stdout is the document's."""
        return notes_console(quiet=True) if self.common.json else results_console()

    @cached_property
    def notes(self) -> Console:
        """Where progress and warnings are shown."""
        return notes_console(quiet=self.common.quiet)


def begin(config: Config, name: str, options: TrainOptions) -> None:
    """Train from the first step, into a run directory of its own."""
    leads = options.ranks.rank == 0
    if leads and options.run:
        refuse_used(options.run)
    source = _source(options.start, options) if options.start else None
    job = load(config, options, before=source.checkpoint.known if source and source.checkpoint else None)
    with job.engine:
        state = TrainingState.initial(config)
        if source:
            report.draw_from(start_from(state, source), options.results, options.notes)
        show_start(job, state, options)
        if not leads:
            _train(partial(Follower, job, state), options)
            return
        check = _check_first_step(job, state, options)
        with new_run_directory(options.run, name) as directory:
            _train(partial(recorder.start, job, directory, state), options, check)


def _source(path: Path, options: TrainOptions) -> Source:
    """Return what training starts from: a run's best parameters, or what is in a file. Each rank reads its own."""
    tensors = {} if path.is_dir() else load_tensors(path)
    if path.is_dir() or any(name.startswith("parameters/") for name in tensors):
        return Source.of_run(path, load_trained(path, trust=options.trust).checkpoint)
    return Source.of_tensors(path, tensors)


def go_on(run: Path, data: Path | None, overrides: list[str], options: TrainOptions) -> None:
    """Train on from where a run stopped, or from one of its checkpoints; a finished run is left as it is."""
    if options.ranks.rank:
        _follow(options)
        return
    with claimed(existing_run_directory(run)) as directory:
        trust = options.trust
        checkpoint = load_checkpoint(run, trust=trust) if run.is_file() else newest_checkpoint(directory, trust=trust)
        config = directory.read_config(checkpoint.config.code, [*overrides, *options.common.overrides])
        config = config if data is None else config.with_data(data)
        if not options.allow_changes:
            refuse_changes(checkpoint.config, config)
        history = checkpoint.state.history
        summary = directory.finished_summary(len(history)) if loop.is_over(config.train, history) else None
        options.ranks.any(summary is not None)  # what the others wait for
        if summary is None:
            _train_on(checkpoint, directory, config, options)
        elif options.common.json:
            write_json(summary)
        else:
            report.draw_finished(directory.path, len(history), summary["status"], options.results)


def _follow(options: TrainOptions) -> None:
    """Train on with rank 0, which alone has to see the run directory."""
    if not options.ranks.any(False):
        checkpoint = share_checkpoint(None, options.ranks)
        config = share_config(None, checkpoint, options.ranks)
        job = load(config, options, before=checkpoint.known)
        with job.engine:
            _train(partial(Follower, job, adapted_state(checkpoint, job)), options)


def _train_on(checkpoint: Checkpoint, directory: RunDirectory, config: Config, options: TrainOptions) -> None:
    checkpoint = share_checkpoint(checkpoint, options.ranks)
    config = share_config(config, checkpoint, options.ranks)
    job = load(config, options, before=checkpoint.known)
    if options.allow_changes:
        report.draw_other_images(other_images(directory, checkpoint, job.datasets), options.notes)
    else:
        refuse_other_images(directory, checkpoint, job.datasets)
    state = adapted_state(checkpoint, job)
    report.draw_resumed(checkpoint.config, job, state, options.results)
    with job.engine:
        check = _check_first_step(job, state, options)
        _train(partial(recorder.resume, job, directory, state), options, check)


def load(
    config: Config,
    options: TrainOptions,
    select: Callable[[Datasets], Datasets] = lambda datasets: datasets,
    before: KnownImages | None = None,
) -> Job:
    """Scan and decode the images, and return the job; `select` narrows what was found.

    `before` are the images that a run knows that goes on.
    """
    require_that_it_can_be_written(config)
    require_own_layers_to_work(config)
    require_same("settings", dump_config(without_paths(config)), options.ranks)
    require_same("imported files", " ".join(code.digest for code in config.code), options.ranks)
    with progress_bar(options.notes) as bar:
        datasets = load_datasets(
            config,
            threads=options.threads,
            progress=lambda split, done, total: bar.show(f"decoding {split}", done, total),
            ranks=options.ranks,
            before=before,
        )
    job = Job.of(config, select(datasets), threads=options.threads, ranks=options.ranks)
    report.draw_job(job, options.results)
    if options.ranks.size > 1:
        report.draw_ranks(job, gather_texts(options.ranks.host, options.ranks), options.results, options.notes)
    report.draw_job_notes(job, options.notes)
    return job


def show_start(job: Job, state: TrainingState, options: TrainOptions) -> None:
    """Show the shapes, and what the loss is before anything is learned."""
    config = job.config
    draw_shapes(network_shapes(config.network, config.loss, job.batch_size, config.train.planner), options.results)
    report.draw_initial_loss(job.initial_loss(state), job.chance_loss, len(job.datasets.classes), options.results)


def _check_first_step(job: Job, state: TrainingState, options: TrainOptions) -> "AsTrained | None":
    """Compare the first step with the network as it is written, where that is wanted and takes little of the run."""
    if not options.check:
        return None
    from cnnbp.training.own_check import check_first_step  # which loads the gradient checker

    found = check_first_step(job, state)
    report.draw_own_check(found, options.results)
    return found


def _train(begin: Callable[[], Recorder | Follower], options: TrainOptions, check: "AsTrained | None" = None) -> None:
    """Train to the end, or until Ctrl-C; then write and show what came of it."""
    started = perf_counter()
    with progress_bar(options.notes) as bar, Interruption(options.ranks, bar=bar.moves) as interruption:
        recorder = begin()
        recorder.check = check
        try:
            concerns = _steps(recorder, options, bar, interruption)
        except StdoutLost:  # its tables cannot be shown, but the training is whole
            recorder.save()
            raise
        recorder.save()
    seconds = perf_counter() - started
    over = loop.is_over(recorder.job.config.train, recorder.state.history)
    if isinstance(recorder, Recorder):
        (_finish if over else _stop)(recorder, seconds, concerns, options)
    elif over:
        _evaluate(recorder.job, share_checkpoint(None, options.ranks).state, options)
    if not over:
        raise typer.Exit(interruption.exit_code)


def _steps(recorder: Recorder | Follower, options: TrainOptions, bar: Bar, interruption: Interruption) -> list[Concern]:
    """Train and show it, to the end or until a signal asks for one; return what looked wrong."""
    job, state = recorder.job, recorder.state
    rows = EpochRows(job.config.train, len(job.datasets.train), state.history, options.notes, bar)
    with divergence_written(recorder):
        for event in recorder.watch(loop.train(job, state)):
            rows.show(event)
            if isinstance(event, EpochEvent) and options.grads and event.metrics.epoch % options.grads == 0:
                with bar.away():
                    _show_gradients(recorder, event.metrics.epoch, options)
            if options.ranks.any(interruption.requested):
                break
    return list(rows.concerns.values())


def _show_gradients(recorder: Recorder | Follower, epoch: int, options: TrainOptions) -> None:
    """Print the gradients of the epoch's last step, and on rank 0 what those of a batch's images say."""
    job, state = recorder.job, recorder.state
    report.draw_gradients(state.last_step, job.config.network, options.results, f"Batch gradients, epoch {epoch}")
    if isinstance(recorder, Recorder) and not options.results.quiet:
        seen = glance(job, state)
        draw_noise(seen.noise, seen.agreement, seen.curvature, options.results)
        if seen.agreement is None:
            options.results.print("What else they say takes long here: cnnbp grads RUN --thorough", style="dim")


def _finish(recorder: Recorder, seconds: float, concerns: list[Concern], options: TrainOptions) -> None:
    """Measure the best checkpoint, and write and show what came of the run."""
    job, state, directory = recorder.job, recorder.state, recorder.directory
    best = share_checkpoint(load_checkpoint(directory.best, trust=True), options.ranks).state.as_evaluated()
    measurement = _evaluate(job, best, options)
    summary = summary_of(recorder, seconds, concerns, measurement)
    try:
        write_end(recorder, summary, measurement)
    finally:  # a full disk does not cost the result
        if options.common.json:
            write_json(summary)
        report.draw_result(job, state, summary, measurement, directory.layers.by_tensor(), options.results)
    if not options.plots:
        return
    for failure in save_pictures(state.history, best.parameters, job, measurement, directory.path):
        options.notes.print(f"warning: {printable(failure)}", style="yellow", soft_wrap=True)


def _stop(recorder: Recorder, seconds: float, concerns: list[Concern], options: TrainOptions) -> None:
    """Write and show how far the run came."""
    summary = summary_of(recorder, seconds, concerns, None)
    write_end(recorder, summary, None)
    if options.common.json:
        write_json(summary)
    report.draw_summary(summary, options.results)


def _evaluate(job: Job, best: TrainingState, options: TrainOptions) -> Measurement:
    with progress_bar(options.notes) as bar:
        return evaluated(job, best, bar.show)
