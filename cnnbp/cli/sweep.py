"""`cnnbp sweep`: a grid of options, each combination with several seeds, side by side on the cores that there are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, ConfigFile, load_job, split_arguments, verb
from cnnbp.experiments.comparison import compare_settings
from cnnbp.experiments.grid import trials_of
from cnnbp.experiments.records import RunRecord, read_record
from cnnbp.experiments.sweep import Sweep, SweepRunner
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.document import write_json
from cnnbp.report.experiments import draw_comparison, draw_failures, draw_folder_of_runs, save_comparison
from cnnbp.report.progress import progress_bar

_FAILED = 1

DataAndAxes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATA] [KEY=A,B,…]…",
        show_default=False,
        help="The image folder; options, each with the values that it takes in turn, as train.batch_size=16,64.",
    ),
]


@verb
def sweep(
    config: ConfigFile,
    arguments: DataAndAxes = None,
    *,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Train each combination with N seeds, by default 3; with --folds 1."),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(min=2, metavar="K", help="Train each K times, each time with another of K parts held out."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of its runs, by default runs/CONFIG-sweep.")
    ] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Write sweep.png into the folder.")] = True,
    common: Common,
) -> None:
    """Train every combination of key=a,b,c with every seed, and compare. The same command goes on where it stopped."""
    data, overrides = split_arguments(arguments)
    first = load_job(config, [text for text in overrides if "," not in text], common).seed
    shared, trials = trials_of(overrides, range(first, first + (seeds or (1 if folds else 3))), folds)
    plan = Sweep(config, data, shared, trials, into or Path("runs") / f"{config.stem}-sweep")
    for trial in trials:  # a wrong value is said before the first run
        load_job(config, [*shared, *trial.overrides], common)
    runner = SweepRunner(plan, min(common.cores, len(trials)))
    notes = notes_console(quiet=common.quiet)
    with progress_bar(notes) as bar:
        runner.run(lambda done, total: bar.show("training", done, total))
    groups = _by_setting(plan, runner.failures)
    results = compare_settings(groups)
    runs = [records for _, records, _ in groups]
    if common.json:
        write_json({"folder": str(plan.folder), "settings": results, "failures": runner.failures})
    else:
        draw_comparison(results, runs, results_console())
        draw_folder_of_runs(plan.folder, results_console())
    if plots and any(runs):
        save_comparison(results, runs, plan.folder / "sweep.png")
    if runner.failures:
        draw_failures(runner.failures, notes)
        raise typer.Exit(_FAILED)


def _by_setting(plan: Sweep, failures: Mapping[str, str]) -> list[tuple[Mapping[str, str], list[RunRecord], int]]:
    """Return each setting with its runs, in the order of their seeds, and how many of them failed."""
    settings = {tuple(trial.setting.items()): trial.setting for trial in plan.trials}
    groups = []
    for setting in settings.values():
        trials = [trial for trial in plan.trials if trial.setting == setting]
        whole = [trial for trial in trials if trial.name not in failures]
        records = [read_record(plan.run_of(trial)) for trial in whole]
        groups.append((setting, records, len(trials) - len(whole)))
    return groups
