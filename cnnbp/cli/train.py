"""`cnnbp train`: train a network on an image folder, and write a run directory; or try something first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cnnbp.cli.common import Common, Trust, load_job, split_arguments, verb
from cnnbp.cli.processes import as_one, join
from cnnbp.cli.train_run import TrainOptions, begin, go_on, load, show_start
from cnnbp.config import Config
from cnnbp.errors import ConfigError
from cnnbp.report.curves import draw_curves
from cnnbp.report.document import write_json
from cnnbp.report.epochs import EpochRows
from cnnbp.report.progress import progress_bar
from cnnbp.report.trials import draw_dry_run, draw_overfit, draw_rates
from cnnbp.training import trials
from cnnbp.training.datasets import Datasets
from cnnbp.training.state import TrainingState

_TRIALS = "Trials, which write nothing"
_DID_NOT_LEARN = 1

Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CONFIG [DATA] [KEY=VALUE]…",
        show_default=False,
        help="The YAML file (not with --resume); the image folder; options to change, as train.epochs=3.",
    ),
]


@verb
def train(
    arguments: Arguments = None,
    *,
    run: Annotated[Path | None, typer.Option(metavar="DIR", help="The run directory, by default runs/CONFIG.")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run, to the same bits as if it had never stopped.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN|FILE",
            help="Start from what fits by name and shape in a run, an .npz or a .safetensors.",
        ),
    ] = None,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Resume with other options or images.")
    ] = False,
    grads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Print the batch gradients every N epochs.")
    ] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Write PNGs into the run directory.")] = True,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Compare the first step with the layers as they are written.")
    ] = True,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without images that cannot be read.")] = False,
    trust: Trust = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Take one step.", rich_help_panel=_TRIALS)] = False,
    overfit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Learn N images by heart; exit 1 if not.", rich_help_panel=_TRIALS),
    ] = None,
    lr_find: Annotated[
        bool, typer.Option("--lr-find", help="Suggest a learning rate by a range test.", rich_help_panel=_TRIALS)
    ] = False,
    common: Common,
) -> None:
    """Train, and show shapes, batch gradients and curves."""
    modes = {"--resume": resume, "--dry-run": dry_run, "--overfit": overfit, "--lr-find": lr_find, "--run": run}
    beginnings = {name: value for name, value in modes.items() if name != "--run"} | {"--from": start}
    ranks = join()
    with as_one(ranks):
        if ranks.rank:
            common = replace(common, quiet=True)
        options = TrainOptions(run, start, allow_changes, grads, plots, check, trust, common, ranks)
        _refuse_several(modes)
        _refuse_several(beginnings)
        chosen = ["data.skip_bad=true"] if skip_bad else []  # the configuration remembers it
        if resume:
            go_on(resume, *split_arguments([*(arguments or ()), *chosen]), options)
            return
        name, config = _configuration(arguments, chosen, common)
        if dry_run:
            _try_one_step(config, options)
        elif overfit:
            _try_overfitting(config, overfit, options)
        elif lr_find:
            _try_rates(config, options)
        else:
            begin(config, name, options)


def _refuse_several(modes: Mapping[str, object]) -> None:
    given = [name for name, value in modes.items() if value]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} do not go together")


def _configuration(arguments: Sequence[str] | None, chosen: Sequence[str], common: Common) -> tuple[str, Config]:
    """Return what the configuration's file is called, and what is in it."""
    if not arguments:
        raise ConfigError("a configuration is missing: cnnbp train CONFIG, or cnnbp train --resume RUN")
    file, *rest = arguments
    return Path(file).stem, load_job(Path(file), [*rest, *chosen], common)


def _try_one_step(config: Config, options: TrainOptions) -> None:
    """Take one step and show it."""
    job = load(config, options)
    with job.engine:
        show_start(job, TrainingState.initial(config), options)
        result = trials.dry_run(job)
    draw_dry_run(result, config.network, options.results)
    if options.common.json:
        write_json(result)


def _try_overfitting(config: Config, images: int, options: TrainOptions) -> None:
    """Learn a few images by heart; exit code 1 where that fails."""
    config = trials.overfit_config(config)
    job = load(config, options, partial(Datasets.only, count=images))
    state = TrainingState.initial(config)
    with job.engine, progress_bar(options.notes) as bar:
        rows = EpochRows(config.train, images, [], Console(quiet=True), bar)
        for event in trials.overfit(job, state):
            rows.show(event)
        result = trials.overfit_result(job, state)
    draw_curves(state.history, options.results)
    draw_overfit(result, options.results)
    if options.common.json:
        write_json(result)
    if not result.learned:
        raise typer.Exit(_DID_NOT_LEARN)


def _try_rates(config: Config, options: TrainOptions) -> None:
    """Raise the learning rate until the loss explodes, and suggest one."""
    job = load(config, options)
    points = []
    with job.engine, progress_bar(options.notes) as bar:
        for point in trials.range_test(job, TrainingState.initial(config)):
            points.append(point)
            bar.show("range test", len(points), trials.STEPS)
    result = trials.RateTest.of(points)
    draw_rates(result, config.train.optimizer, options.results)
    if options.common.json:
        write_json(result)
