"""What `cnnbp compare` and `cnnbp gradcheck --dump` show: every tensor that differs, the first of them, and why."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cnnbp.porting.comparison import ComparisonReport, TensorComparison
from cnnbp.report.console import one_line, printable
from cnnbp.report.document import plain
from cnnbp.report.formatting import format_number
from cnnbp.report.tables import Column, print_table

_STYLES = {"equal": "green", "kink": "yellow", "follows": "yellow", "differs": "red", "wrong": "bold red"}
_VERDICTS = {
    "kink": "right: another choice at a kink, or what follows from it",
    "follows": "right for the wrong numbers that it is made of",
    "differs": "may only follow from what is wrong before it: what it is made of is not there to tell",
    "wrong": "wrong whatever it is made of",
}
_MOST_ROWS, _MOST_NAMES, _MOST_HINTS = 16, 6, 8


def draw_comparison(report: ComparisonReport, console: Console) -> None:
    """Print what was compared and how closely, the verdict, and each tensor that differs."""
    different = [tensor for tensor in report.tensors if tensor.verdict != "equal"]
    known, tolerance = len(report.tensors) + len(report.missing), report.tolerance
    share = f"{tolerance.share:.1e} of the numbers' size: {tolerance.of}"
    console.print(Text.assemble(("compared   ", "bold"), f"{len(report.tensors)} of {known} tensors"))
    console.print(Text.assemble(("precision  ", "bold"), f"{tolerance.precision}: {tolerance.why}"))
    console.print(Text.assemble(("tolerance  ", "bold"), share))
    _draw_names(report, console)
    console.print()
    if different:
        _draw_table(different[:_MOST_ROWS], console)
        if len(different) > _MOST_ROWS:
            console.print(f"and {len(different) - _MOST_ROWS} more", style="dim")
        console.print()
    _draw_verdict(report, different, console)


def _draw_names(report: ComparisonReport, console: Console) -> None:
    if report.missing:
        console.print(Text.assemble(("not there  ", "bold"), _listed(report.missing)), style="dim")
    unknown = [f"{name} (did you mean {meant}?)" if meant else name for name, meant in report.unknown.items()]
    if unknown:
        console.print(Text.assemble(("unknown    ", "bold"), _listed(unknown)), style="yellow")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(one_line, names[:_MOST_NAMES]))
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _draw_table(tensors: Sequence[TensorComparison], console: Console) -> None:
    entries = [tensor.worst for tensor in tensors]
    columns = [
        Column("tensor", [one_line(tensor.name) for tensor in tensors]),
        Column("", [Text(tensor.verdict, style=_STYLES[tensor.verdict]) for tensor in tensors]),
        Column("off", [f"{tensor.wrong:,}/{tensor.size:,}" if tensor.worst else "" for tensor in tensors], "right", 80),
        Column("worst at", [str(list(entry.index)) if entry else "" for entry in entries], weight=90),
        Column("found", [format_number(entry.found) if entry else "" for entry in entries], "right"),
        Column("expected", [format_number(entry.expected) if entry else "" for entry in entries], "right"),
        Column("difference", [f"{tensor.difference:.1e}" if tensor.worst else "" for tensor in tensors], "right", 60),
        Column("tolerated", [f"{tensor.bound:.1e}" for tensor in tensors], "right", 70),
    ]
    print_table(console, columns, "What differs, in the order of computation")
    for verdict, said in _VERDICTS.items():
        if any(tensor.verdict == verdict for tensor in tensors):
            console.print(Text.assemble((f"{verdict}: ", _STYLES[verdict]), (said, "dim")))


def _draw_verdict(report: ComparisonReport, different: Sequence[TensorComparison], console: Console) -> None:
    first = report.first
    if first is None:
        closest = f"{report.closest.share:.2%} of what is tolerated, in {one_line(report.closest.name)}"
        console.print(Text.assemble(("EQUAL", "green"), f"  the largest difference is {closest}"))
    else:
        console.print(Text.assemble(("DIFFERENT", "bold red"), (f"  {one_line(first.name)} is the first", "bold")))
    hints = [f"{tensor.name}: {tensor.hint}" for tensor in different if tensor.hint]
    for hint in hints[:_MOST_HINTS]:
        _indented(hint, console)
    for name in report.cancelled:
        _indented(f"{name} is 0 but for rounding, as that of every bias before batch norm", console)


def _indented(text: str, console: Console) -> None:
    console.print(Padding(Text(printable(text)), (0, 0, 0, 2), expand=False))


def comparison_document(report: ComparisonReport) -> dict[str, Any]:
    """Return the comparison as `--json` gives it."""
    return {
        "verdict": report.verdict,
        "first": report.first.name if report.first else None,
        "hint": report.first.hint if report.first else None,
        "tolerance": report.tolerance,
        "tensors": [{**plain(tensor), "size": tensor.size} for tensor in report.tensors],
        "missing": report.missing,
        "unknown": report.unknown,
        "cancelled": report.cancelled,
    }
