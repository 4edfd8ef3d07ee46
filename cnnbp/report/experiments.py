"""What `cnnbp sweep` and `cnnbp runs` show: settings and runs side by side, their curves over one another."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from statistics import mean
from string import ascii_letters
from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.experiments.comparison import SettingResult, Spread
from cnnbp.experiments.records import RunRecord, differing_options, short_names
from cnnbp.report.console import one_line, printable
from cnnbp.report.curves import Curve, draw_overlaid
from cnnbp.report.figures import new_figure, save_figure, with_own_settings
from cnnbp.report.tables import Column, print_table

_LETTERS = ascii_letters  # what a curve is drawn with; more runs than these have none


def draw_comparison(results: Sequence[SettingResult], groups: Sequence[Sequence[RunRecord]], console: Console) -> None:
    """Show each setting's means and deviations, the best first marked, and its mean curve."""
    keys = short_names([*results[0].setting])
    print_table(
        console,
        [
            Column("", [_letter(place) for place in range(len(results))]),
            *(Column(name, [one_line(str(r.setting[key])) for r in results]) for key, name in keys.items()),
            Column("runs", [_runs(r) for r in results], "right", 60),
            Column("epochs", [_number(r.epochs, "{:.0f}") for r in results], "right", 20),
            Column("validation\naccuracy", [_share(r.score) for r in results], "right"),
            Column("validation\nloss", [_number(r.loss, "{:.4g}") for r in results], "right", 50),
            Column(f"{_split(results)}\naccuracy", [_share(r.evaluated) for r in results], "right", 70),
            Column("", [_judgement(r) for r in results], weight=80),
        ],
    )
    if any(r.within_noise is not None for r in results):
        console.print("worse: by more than the seeds' noise (t-test, 95 %)", style="dim")
    if all(r.score is None or r.score.std is None for r in results):
        console.print("One run each: how much of a difference is noise cannot be told. Try --seeds 5.")
    _draw_curves([_mean_loss(runs) for runs in groups], console)


def draw_folder_of_runs(folder: Path, console: Console) -> None:
    """Say where a sweep's runs are, and how to look at each."""
    shown = printable(shlex.quote(str(folder)))
    console.print(f"its runs are in {shown}; each of them: cnnbp runs {shown}", soft_wrap=True)


def draw_failures(failures: Mapping[str, str], console: Console) -> None:
    """Name the runs that failed, and what they said last."""
    for name, words in failures.items():
        console.print(f"failed: {one_line(name)}: {one_line(words)}", style="red", soft_wrap=True)


def draw_runs(records: Sequence[RunRecord], console: Console, *, curves: bool) -> None:
    """Show a line for each run: what differs, how far it came, and its best epoch."""
    keys = short_names(differing_options(records))
    columns = [
        Column("", [_letter(place) for place in range(len(records))] if curves else []),
        Column("run", [one_line(record.path) for record in records]),
        *(
            Column(name, [_value(record.options.get(key)) for record in records], weight=50)
            for key, name in keys.items()
        ),
        Column("epochs", [str(len(record.history)) for record in records], "right", 60),
        Column("best\nepoch", [str(record.best.epoch) if record.best else "" for record in records], "right", 40),
        Column("accuracy\nthere", ["" if r.score is None else f"{r.score:.1%}" for r in records], "right", 90),
        Column("evaluated", [_evaluation(record) for record in records], "right", 80),
        Column("ended", [f"{datetime.fromtimestamp(record.ended):%Y-%m-%d %H:%M}" for record in records], weight=45),
        Column("how", [record.status for record in records], weight=70),
    ]
    print_table(console, [column for column in columns if column.cells])
    if curves:
        _draw_curves([[epoch.monitored_loss for epoch in record.history] for record in records], console)


def runs_document(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return the runs for --json: each record with its best epoch."""
    return [
        {**{field.name: getattr(record, field.name) for field in fields(record)}, "best": record.best}
        for record in records
    ]


@with_own_settings
def save_comparison(results: Sequence[SettingResult], groups: Sequence[Sequence[RunRecord]], path: Path) -> None:
    """Draw each setting's mean curves of loss and accuracy over one another as PNG."""
    figure = new_figure(11, 4.5)
    loss, accuracy = figure.subplots(1, 2)
    for result, runs in zip(results, groups, strict=True):
        short = short_names([*result.setting])
        label = ", ".join(f"{short[key]} {value}" for key, value in result.setting.items()) or "all runs"
        for axes, curve in ((loss, _mean_loss(runs)), (accuracy, _mean_accuracy(runs))):
            axes.plot(range(1, len(curve) + 1), curve, label=one_line(label).replace("$", r"\$"))
    loss.set(title="validation loss, mean over the seeds", xlabel="epoch")
    accuracy.set(title="validation accuracy, mean over the seeds", xlabel="epoch")
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
    loss.legend(fontsize=8)
    save_figure(figure, path)


def _draw_curves(losses: Iterable[Sequence[float]], console: Console) -> None:
    curves = [
        Curve(_LETTERS[place], range(1, len(values) + 1), values)
        for place, values in enumerate(losses)
        if len(values) > 1 and place < len(_LETTERS)
    ]
    if curves:
        draw_overlaid("validation loss by epoch, each by its letter", curves, console)


def _mean_loss(runs: Sequence[RunRecord]) -> list[float]:
    """Return the mean monitored loss of each epoch that all runs have."""
    return [mean(epoch.monitored_loss for epoch in epochs) for epochs in zip(*(run.history for run in runs))]  # noqa: B905


def _mean_accuracy(runs: Sequence[RunRecord]) -> list[float]:
    return [
        mean(epoch.monitored_accuracy for epoch in epochs)
        for epochs in zip(*(run.history for run in runs))  # noqa: B905  (early stopping makes some shorter)
    ]


def _letter(place: int) -> str:
    return _LETTERS[place] if place < len(_LETTERS) else ""


def _runs(result: SettingResult) -> str:
    return f"{len(result.runs)}" + (f", {result.failed} failed" if result.failed else "")


def _share(spread: Spread | None) -> str:
    if spread is None:
        return ""
    return f"{spread.mean:.1%}" if spread.std is None else f"{100 * spread.mean:.1f} ± {100 * spread.std:.1f} %"


def _number(spread: Spread | None, style: str) -> str:
    if spread is None:
        return ""
    return style.format(spread.mean) + ("" if not spread.std else f" ± {spread.std:.2g}")


def _split(results: Sequence[SettingResult]) -> str:
    return next((result.evaluated_split for result in results if result.evaluated_split), "")


def _judgement(result: SettingResult) -> Text:
    if result.is_best:
        return Text("best", "bold green")
    return Text({True: "not told apart from the best", False: "worse", None: ""}[result.within_noise])


def _value(value: object) -> str:
    return "" if value is None else one_line(str(value))


def _evaluation(record: RunRecord) -> str:
    return f"{record.evaluation.split} {record.evaluation.accuracy:.1%}" if record.evaluation else ""
