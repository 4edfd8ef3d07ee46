"""Runs: a new one, or one that goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter

import typer

from cnnbp.cli.interruption import Interruption
from cnnbp.cli.train_end import finish, follow_to_the_end, stop
from cnnbp.cli.train_parts import Screen, TrainOptions, load, show_start
from cnnbp.config import Config, load_config
from cnnbp.errors import CheckpointError, Diverged
from cnnbp.report.document import write_json
from cnnbp.report.epochs import EpochRows
from cnnbp.report.progress import Bar, progress_bar
from cnnbp.report.train import draw_finished, draw_gradients, draw_resumed
from cnnbp.training import loop, recorder
from cnnbp.training.checkpoint import Checkpoint, load_checkpoint, share_checkpoint, share_config
from cnnbp.training.concerns import Concern
from cnnbp.training.divergence import TrainingDiverged
from cnnbp.training.loop import EpochEvent
from cnnbp.training.recorder import Follower, Recorder
from cnnbp.training.resume import adapted_state, newest_checkpoint, refuse_changes, refuse_other_images
from cnnbp.training.run_directory import RunDirectory, claimed, existing_run_directory, new_run_directory, refuse_used
from cnnbp.training.state import TrainingState

_DIVERGED = "diverged.json"


def begin(config: Config, name: str, options: TrainOptions, screen: Screen) -> None:
    """Train from the first step, into a run directory of its own."""
    leads = options.ranks.rank == 0
    if leads and options.run:
        refuse_used(options.run)
    job = load(config, options, screen)
    with job.engine:
        state = TrainingState.initial(config)
        show_start(job, state, screen)
        if not leads:
            _train(partial(Follower, job, state), options, screen)
            return
        with new_run_directory(options.run, name) as directory:
            _train(partial(recorder.start, job, directory), options, screen)


def go_on(run: Path, data: Path | None, overrides: list[str], options: TrainOptions) -> None:
    """Train on from where a run stopped, or from one of its checkpoints; a finished run is left as it is."""
    if options.ranks.rank:
        _follow(options, Screen.of(options.common))
        return
    with claimed(existing_run_directory(run)) as directory:
        checkpoint = load_checkpoint(run) if run.is_file() else newest_checkpoint(directory)
        _go_on(checkpoint, directory, data, overrides, options)


def _go_on(
    checkpoint: Checkpoint, directory: RunDirectory, data: Path | None, overrides: list[str], options: TrainOptions
) -> None:
    screen = Screen.of(options.common)
    config = load_config(directory.config, [*overrides, *options.common.overrides])
    config = config if data is None else config.with_data(data)
    if not options.allow_changes:
        refuse_changes(checkpoint.config, config)
    history = checkpoint.state.history
    summary = directory.finished_summary(len(history)) if loop.is_over(config.train, history) else None
    options.ranks.any(summary is not None)  # what the others wait for
    if summary is None:
        _train_on(checkpoint, directory, config, options, screen)
    elif options.common.json:
        write_json(summary)
    else:
        draw_finished(directory.path, len(history), summary["status"], screen.results)


def _follow(options: TrainOptions, screen: Screen) -> None:
    """Train on with rank 0, which alone has to see the run directory."""
    if not options.ranks.any(False):
        checkpoint, config = share_checkpoint(None, options.ranks), share_config(None, options.ranks)
        job = load(config, options, screen)
        with job.engine:
            _train(partial(Follower, job, adapted_state(checkpoint, job)), options, screen)


def _train_on(
    checkpoint: Checkpoint, directory: RunDirectory, config: Config, options: TrainOptions, screen: Screen
) -> None:
    checkpoint, config = share_checkpoint(checkpoint, options.ranks), share_config(config, options.ranks)
    job = load(config, options, screen)
    if not options.allow_changes:
        refuse_other_images(directory, checkpoint, job.datasets)
    state = adapted_state(checkpoint, job)
    draw_resumed(checkpoint.config, job, state, screen.results)
    with job.engine:
        _train(partial(recorder.resume, job, directory, state), options, screen)


def _train(begin: Callable[[], Recorder | Follower], options: TrainOptions, screen: Screen) -> None:
    """Train to the end, or until Ctrl-C; then write and show what came of it."""
    started = perf_counter()
    with progress_bar(screen.notes) as bar, Interruption(options.ranks, bar=bar.moves) as interruption:
        recorder = begin()
        concerns = _steps(recorder, options, screen, bar, interruption)
        recorder.save()
    seconds = perf_counter() - started
    over = loop.is_over(recorder.job.config.train, recorder.state.history)
    if isinstance(recorder, Recorder):
        (finish if over else stop)(recorder, seconds, concerns, options, screen)
    elif over:
        follow_to_the_end(recorder, screen)
    if not over:
        raise typer.Exit(interruption.exit_code)


def _steps(
    recorder: Recorder | Follower, options: TrainOptions, screen: Screen, bar: Bar, interruption: Interruption
) -> list[Concern]:
    """Train and show it, to the end or until somebody asks for it; return what looked wrong."""
    job, state = recorder.job, recorder.state
    rows = EpochRows(job.config.train.epochs, len(job.datasets.train), state.history, screen.notes, bar)
    with _explained(recorder):
        for event in recorder.watch(loop.train(job, state)):
            rows.show(event)
            if isinstance(event, EpochEvent) and options.grads and event.metrics.epoch % options.grads == 0:
                _show_gradients(recorder, bar, screen)
            if options.ranks.any(interruption.requested):
                break
    return list(rows.concerns.values())


def _show_gradients(recorder: Recorder | Follower, bar: Bar, screen: Screen) -> None:
    state = recorder.state
    with bar.away():
        draw_gradients(
            state.last_step, recorder.job.config.network, screen.results, f"Batch gradients, epoch {state.epoch}"
        )


@contextmanager
def _explained(recorder: Recorder | Follower) -> Iterator[None]:
    """Write down where training diverged, and name the last good checkpoint."""
    try:
        yield
    except TrainingDiverged as error:
        if isinstance(recorder, Follower):
            raise
        directory = recorder.directory
        try:
            directory.write_json(_DIVERGED, asdict(error.divergence))
            files = f"all files of the batch: {directory.path / _DIVERGED}"
        except CheckpointError as failure:  # a full disk must not hide what is worse
            files = str(failure)
        raise Diverged(f"{error}\n  {files}\n  last good checkpoint: {directory.last}") from error
