"""Trials before a run, which write nothing."""

from functools import partial

import typer
from rich.console import Console

from cnnbp.cli.train_parts import Screen, TrainOptions, load, show_start
from cnnbp.config import Config
from cnnbp.report.curves import draw_curves
from cnnbp.report.document import write_json
from cnnbp.report.epochs import EpochRows
from cnnbp.report.progress import progress_bar
from cnnbp.report.trials import draw_dry_run, draw_overfit, draw_rates
from cnnbp.training.datasets import Datasets
from cnnbp.training.state import TrainingState
from cnnbp.training.trials import STEPS, RateTest, dry_run, overfit, overfit_config, overfit_result, range_test

_DID_NOT_LEARN = 1


def try_one_step(config: Config, options: TrainOptions, screen: Screen) -> None:
    """Take one step and show it."""
    job = load(config, options, screen)
    with job.engine:
        show_start(job, TrainingState.initial(config), screen)
        result = dry_run(job)
    draw_dry_run(result, config.network, screen.results)
    if options.common.json:
        write_json(result)


def try_overfitting(config: Config, images: int, options: TrainOptions, screen: Screen) -> None:
    """Learn a few images by heart; exit code 1 where that fails."""
    config = overfit_config(config)
    job = load(config, options, screen, partial(Datasets.only, count=images))
    state = TrainingState.initial(config)
    with job.engine, progress_bar(screen.notes) as bar:
        rows = EpochRows(config.train.epochs, images, [], Console(quiet=True), bar)
        for event in overfit(job, state):
            rows.show(event)
        result = overfit_result(job, state)
    draw_curves(state.history, screen.results)
    draw_overfit(result, screen.results)
    if options.common.json:
        write_json(result)
    if not result.learned:
        raise typer.Exit(_DID_NOT_LEARN)


def try_rates(config: Config, options: TrainOptions, screen: Screen) -> None:
    """Raise the learning rate until the loss explodes, and suggest one."""
    job = load(config, options, screen)
    points = []
    with job.engine, progress_bar(screen.notes) as bar:
        for point in range_test(job, TrainingState.initial(config)):
            points.append(point)
            bar.show("range test", len(points), STEPS)
    result = RateTest.of(points)
    draw_rates(result, config.train.optimizer, screen.results)
    if options.common.json:
        write_json(result)
