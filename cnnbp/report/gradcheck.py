"""What `cnnbp gradcheck` shows: each layer alone, every tensor end to end, and who is to blame."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.arrays import format_shape
from cnnbp.gradcheck import GradcheckReport, LayerResult, TensorResult
from cnnbp.report.console import printable
from cnnbp.report.document import plain
from cnnbp.report.formatting import format_count, format_number
from cnnbp.report.tables import Column, print_table

_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def draw_gradcheck(report: GradcheckReport, console: Console) -> None:
    """Print both tables and the verdict."""
    _draw_layers(report.layers, console)
    console.print()
    _draw_tensors(report.tensors, console)
    console.print()
    _draw_verdict(report, console)


def _draw_layers(layers: Sequence[LayerResult], console: Console) -> None:
    columns = [
        Column("layer", [printable(layer.name) for layer in layers]),
        Column("type", [layer.type for layer in layers], weight=60),
        Column("entries", [str(sum(tensor.checked for tensor in layer.tensors)) for layer in layers], "right", 80),
        Column("alone", [Text(layer.verdict, style=_STYLES[layer.verdict]) for layer in layers]),
        Column("", [layer.problems[0] if layer.problems else "" for layer in layers], weight=90),
    ]
    print_table(console, columns, "Each layer alone")


def _draw_tensors(tensors: Sequence[TensorResult], console: Console) -> None:
    columns = [
        Column("tensor", [printable(tensor.name) for tensor in tensors]),
        Column("shape", [format_shape(tensor.shape) for tensor in tensors], weight=60),
        Column("checked", [_checked(tensor) for tensor in tensors], "right"),
        *(_counts(name, [getattr(tensor, name) for tensor in tensors]) for name in ("passed", "zero", "inconclusive")),
        _counts("failed", [tensor.failed for tensor in tensors], style="bold red"),
        Column("max error", [f"{tensor.max_relative_error:.1e}" for tensor in tensors], "right", 70),
    ]
    print_table(console, columns, "End to end")


def _counts(name: str, counts: Sequence[int], style: str = "") -> Column:
    return Column(name, [Text(f"{count:,}" if count else "", style=style) for count in counts], "right")


def _checked(tensor: TensorResult) -> str:
    size = 1
    for side in tensor.shape:
        size *= side
    return f"{tensor.checked:,}" if tensor.checked == size else f"{tensor.checked:,}/{size:,}"


def _draw_verdict(report: GradcheckReport, console: Console) -> None:
    speed = f"{report.checked:,} entries in {report.seconds:.2f} s, {format_count(report.entries_per_second)}/s"
    word = Text(report.verdict.upper(), style=_STYLES[report.verdict])
    console.print(Text.assemble(word, "  ", (", ".join(map(printable, report.blame)), "bold"), "  ", (speed, "dim")))
    for tensor in report.tensors:
        if tensor.failed:
            worst = tensor.worst
            values = f"analytic {format_number(worst.analytic)}, numeric {format_number(worst.numeric)}"
            console.print(f"{printable(tensor.name)}{list(worst.index)}: {values}, ratio {format_number(worst.ratio)}")


def gradcheck_document(report: GradcheckReport) -> dict[str, Any]:
    """Return the check as `--json` gives it."""
    tensors = [plain(tensor) for tensor in report.tensors]
    layers = [{"name": layer.name, "type": layer.type, "verdict": layer.verdict} for layer in report.layers]
    return {
        "verdict": report.verdict,
        "blame": report.blame,
        "seconds": report.seconds,
        "entries_per_second": report.entries_per_second,
        "tensors": tensors,
        "layers": layers,
    }
