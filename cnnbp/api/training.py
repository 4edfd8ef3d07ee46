"""Training from Python: epoch by epoch, on the configuration's folder or on arrays, with a run directory or without."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from warnings import warn

from numpy.typing import ArrayLike

from cnnbp.api import given
from cnnbp.api.datasets import Labelled, array_datasets
from cnnbp.api.given import Layout
from cnnbp.api.run import Run
from cnnbp.config import Config, require_own_layers_to_work, require_that_it_can_be_written
from cnnbp.engine import available_cores
from cnnbp.errors import ConfigError
from cnnbp.parameters import Parameters, Tensors
from cnnbp.training import loop, recorder
from cnnbp.training.checkpoint import Checkpoint, load_checkpoint
from cnnbp.training.concerns import Concern
from cnnbp.training.ending import divergence_written, evaluated, summary_of, write_end
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.loop import EpochEvent, Event
from cnnbp.training.own_check import check_first_step
from cnnbp.training.recorder import Recorder
from cnnbp.training.run_directory import new_run_directory, refuse_used
from cnnbp.training.state import EpochMetrics, TrainingState
from cnnbp.training.trained import Trained


@dataclass(frozen=True, eq=False, repr=False)
class Epoch:
    """An epoch that is over: its metrics, what looked wrong, and the network that training has come to."""

    metrics: EpochMetrics
    concerns: tuple[Concern, ...]
    run: Run

    @property
    def parameters(self) -> Parameters:
        """What has been learned so far, a copy."""
        return self.run.parameters

    @property
    def running_statistics(self) -> Tensors:
        """Batch norm's means and variances by layer."""
        return self.run.model.state

    def __repr__(self) -> str:
        metrics = self.metrics
        parts = [f"train loss {metrics.train_loss:.4g}, accuracy {metrics.train_accuracy:.1%}"]
        if metrics.val_loss is not None:
            parts.append(f"validation loss {metrics.val_loss:.4g}, accuracy {metrics.val_accuracy:.1%}")
        return f"<Epoch {metrics.epoch}: {'; '.join(parts)}>"


def train(
    config: Config,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    validation: Labelled | float | None = None,
    classes: Sequence[str] | None = None,
    layout: Layout = "chwm",
    run: str | Path | None = None,
    plots: bool = True,
    check: bool = True,
    progress: bool = False,
    skip_bad: bool = False,
    threads: int | None = None,
) -> Iterator[Epoch]:
    """Train on the configuration's image folder, or on images x of the classes y (M,), and yield each epoch as it ends.

    x is uint8 (pixels, 0…255) or floats (pixels, 0…1), normalised as data.normalize says; `validation` is (x, y) of
    other images, or the share of each class that validates, by default data.validation. With `run` all is written that
    `cnnbp train --run` writes, with `plots` its pictures; a loop that ends early leaves a run to be resumed. `check`
    compares the first step with the network as it is written, where that takes little of the run. `progress` shows a
    bar. The numbers do not depend on `threads`, by default the cores that this process may use.

    Raises ConfigError, ShapeError and DataError at once for what cannot be trained on, later Diverged for a NaN.

    >>> from cnnbp import load_config
    >>> config = load_config("configs/lecture.yaml", ["train.epochs=2"])
    >>> [epoch.metrics.epoch for epoch in train(config)]
    [1, 2]
    """
    cores = available_cores() if threads is None else given.number(threads, "threads")
    config = _with_absolute_path(given.checked_config(config))
    if run is not None:
        refuse_used(Path(run))
    require_that_it_can_be_written(config)
    require_own_layers_to_work(config)
    if (arrays := given.pair(x, y)) is None:
        if validation is not None or classes is not None:
            raise ConfigError("validation and classes are about arrays x and y: of a folder, it says itself")
        if config.data is None or config.data.path is None:
            raise ConfigError("nothing to train on: give images x and their classes y, or set data.path")
        config = _with_data(config, skip_bad=True) if skip_bad else config
        datasets = load_datasets(config, threads=cores)
    else:
        config = _with_data(config, path=None)
        datasets = array_datasets(config, *arrays, validation, layout, classes)
    return _epochs(
        Job.of(config, datasets, threads=cores), Path(run) if run is not None else None, plots, check, progress
    )


def _with_absolute_path(config: Config) -> Config:
    """Return the configuration with its folder as it is seen from here, where it was made in Python."""
    return config if config.data is None or config.data.path is None else config.with_data(config.data.path)


def _with_data(config: Config, **options: object) -> Config:
    """Return the configuration with other options of its data section; without one there is nothing to change."""
    return config.model_copy(update={"data": config.data.model_copy(update=options)}) if config.data else config


def _epochs(job: Job, run: Path | None, plots: bool, check: bool, progress: bool) -> Iterator[Epoch]:
    with job.engine:
        state = TrainingState.initial(job.config)
        found = check_first_step(job, state) if check else None
        if run is None:
            yield from _shown(job, state, loop.train(job, state), progress, [])
            return
        with new_run_directory(run, "") as directory:
            keeper = recorder.start(job, directory, state)
            keeper.check = found
            yield from _recorded(keeper, plots, progress)


def _recorded(keeper: Recorder, plots: bool, progress: bool) -> Iterator[Epoch]:
    """Train into a run directory; who stops taking epochs leaves it as Ctrl-C would."""
    job, state, started, concerns = keeper.job, keeper.state, perf_counter(), list[Concern]()
    try:
        with divergence_written(keeper):
            yield from _shown(job, state, keeper.watch(loop.train(job, state)), progress, concerns)
    except GeneratorExit:  # between two steps: all is whole
        keeper.save()
        write_end(keeper, summary_of(keeper, perf_counter() - started, concerns, None), None)
        raise
    keeper.save()
    best = load_checkpoint(keeper.directory.best, trust=True).state.as_evaluated()
    measurement = evaluated(job, best, lambda what, done, total: None)
    write_end(keeper, summary_of(keeper, perf_counter() - started, concerns, measurement), measurement)
    if plots:
        from cnnbp.report.pictures import save_pictures  # which loads matplotlib

        for failure in save_pictures(state.history, best.parameters, job, measurement, keeper.directory.path):
            warn(failure, stacklevel=2)


def _shown(
    job: Job, state: TrainingState, events: Iterator[Event], progress: bool, concerns: list[Concern]
) -> Iterator[Epoch]:
    """Yield the epochs, with a bar where it is wanted; what looked wrong in them is added to `concerns`."""
    from cnnbp.report.epochs import EpochRows  # as all that draws, only where something is to be drawn
    from cnnbp.report.notebook_bar import epochs_bar

    with epochs_bar(progress) as (console, bar):
        rows = EpochRows(job.config.train, len(job.datasets.train), state.history, console, bar)
        for event in events:
            rows.show(event)
            if isinstance(event, EpochEvent):
                concerns[:] = rows.concerns.values()
                yield Epoch(event.metrics, event.concerns, _snapshot(job, state))


def _snapshot(job: Job, state: TrainingState) -> Run:
    """Return what training has come to, a copy; its optimizer's state is left out."""
    copied = replace(state, parameters=state.parameters.copy(), slots={}, history=list(state.history))
    counts, datasets = tuple(job.datasets.class_counts), job.datasets
    checkpoint = Checkpoint(
        job.config, datasets.classes, job.normalization, datasets.digest, copied, counts, datasets.known
    )
    return Run(Trained(checkpoint, Path(f"epoch {state.epoch}"), None, job.config))
