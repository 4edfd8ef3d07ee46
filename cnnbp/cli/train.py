"""`cnnbp train`: train a network on an image folder, and write a run directory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli import train_run, train_trials
from cnnbp.cli.common import Common, load_job, split_arguments, verb
from cnnbp.cli.ranks import as_one, join
from cnnbp.cli.train_parts import Screen, TrainOptions
from cnnbp.errors import ConfigError

_TRIALS = "Trials, which write nothing"

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
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Resume with other options or images.")
    ] = False,
    grads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Print the batch gradients every N epochs.")
    ] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Write PNGs into the run directory.")] = True,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without images that cannot be read.")] = False,
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
    ranks = join()
    with as_one(ranks):
        if ranks.rank:
            common = replace(common, quiet=True)
        options = TrainOptions(run, allow_changes, grads, plots, skip_bad, common, ranks)
        _train(arguments, resume, dry_run, overfit, lr_find, options)


def _train(
    arguments: Sequence[str] | None,
    resume: Path | None,
    dry_run: bool,
    overfit: int | None,
    lr_find: bool,
    options: TrainOptions,
) -> None:
    common = options.common
    given = [name for name, value in _modes(resume, dry_run, overfit, lr_find, options.run).items() if value]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} do not go together")
    if resume:
        data, overrides = split_arguments(arguments)
        train_run.go_on(resume, data, overrides, options)
        return
    if not arguments:
        raise ConfigError("a configuration is missing: cnnbp train CONFIG, or cnnbp train --resume RUN")
    config, *rest = arguments
    settings, screen = load_job(Path(config), rest, common), Screen.of(common)
    if dry_run:
        train_trials.try_one_step(settings, options, screen)
    elif overfit:
        train_trials.try_overfitting(settings, overfit, options, screen)
    elif lr_find:
        train_trials.try_rates(settings, options, screen)
    else:
        train_run.begin(settings, Path(config).stem, options, screen)


def _modes(
    resume: Path | None, dry_run: bool, overfit: int | None, lr_find: bool, run: Path | None
) -> dict[str, object]:
    return {"--resume": resume, "--dry-run": dry_run, "--overfit": overfit, "--lr-find": lr_find, "--run": run}
