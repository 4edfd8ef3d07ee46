"""What `cnnbp gradcheck` shows: each layer alone, every tensor end to end, who is to blame and for what."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cnnbp.arrays import format_shape
from cnnbp.gradcheck import GradcheckReport, LayerResult, TensorResult, WorstEntry
from cnnbp.gradcheck.results import COMES_THROUGH
from cnnbp.report.as_trained import as_trained_document
from cnnbp.report.console import printable
from cnnbp.report.document import plain
from cnnbp.report.formatting import format_count, format_number
from cnnbp.report.gradcheck_further import draw_further, float32_document
from cnnbp.report.tables import Column, print_table

_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
_MOST_ENTRIES = 12  # worst entries in the table: a mistake near the loss spoils every tensor before it
_MOST_PROBLEMS = 2  # of the network as a whole: one mistake makes many
_INCONCLUSIVE = (
    "What is inconclusive is neither right nor wrong for sure: rounding hides it from every step, the complex one too."
    " Other images or weights may show it (--seed, --batch)."
)


def draw_gradcheck(report: GradcheckReport, console: Console) -> None:
    """Print both tables, the verdict, and the worst entries where something is wrong."""
    _draw_layers(report.layers, console)
    console.print()
    if report.tensors:
        _draw_tensors(report.tensors, console)
        console.print()
    draw_further(report, console)
    if report.jittered or report.float32:
        console.print()
    _draw_verdict(report, console)
    _draw_reasons(report, console)
    _draw_worst(report, console)


def _draw_layers(layers: Sequence[LayerResult], console: Console) -> None:
    columns = [
        Column("layer", [printable(layer.name) for layer in layers]),
        Column("type", [layer.type for layer in layers], weight=60),
        Column("entries", [f"{sum(tensor.checked for tensor in layer.tensors):,}" for layer in layers], "right", 80),
        Column("alone", [Text(layer.verdict, style=_STYLES[layer.verdict]) for layer in layers]),
        Column("wrong", [_wrong_gradients(layer) for layer in layers]),
    ]
    print_table(console, columns, "Each layer alone")


def _wrong_gradients(layer: LayerResult) -> Text:
    names = dict.fromkeys(f"d{tensor.name}" for tensor in layer.tensors if tensor.verdict == "fail")
    return Text(", ".join(names), style="bold red")


def _draw_tensors(tensors: Sequence[TensorResult], console: Console) -> None:
    columns = [
        Column("tensor", [printable(tensor.name) for tensor in tensors]),
        Column("shape", [format_shape(tensor.shape) for tensor in tensors], weight=60),
        Column("checked", [_checked(tensor) for tensor in tensors], "right"),
        _counts("passed", [tensor.passed for tensor in tensors], weight=80),
        _counts("zero", [tensor.zero for tensor in tensors], weight=90),
        _counts("inconclusive", [tensor.inconclusive for tensor in tensors], style="yellow"),
        _counts("failed", [tensor.failed for tensor in tensors], style="bold red"),
        Column("max error", [f"{tensor.max_relative_error:.1e}" for tensor in tensors], "right", 70),
        Column("note", [Text(_remark(tensor), style=_STYLES[tensor.verdict]) for tensor in tensors], weight=75),
    ]
    print_table(console, columns, "End to end")


def _counts(name: str, counts: Sequence[int], style: str = "", weight: int = 100) -> Column:
    return Column(name, [Text(f"{count:,}" if count else "", style=style) for count in counts], "right", weight)


def _checked(tensor: TensorResult) -> str:
    size = 1
    for side in tensor.shape:
        size *= side
    return f"{tensor.checked:,}" if tensor.checked == size else f"{tensor.checked:,}/{size:,}"


def _remark(tensor: TensorResult) -> str:
    """Say what the counts do not show: who spoilt a gradient, or that only the random direction tells."""
    if tensor.hint and tensor.hint.startswith(COMES_THROUGH):
        return printable(tensor.hint)
    return "wrong" if tensor.verdict == "fail" and not tensor.failed else ""


def _draw_verdict(report: GradcheckReport, console: Console) -> None:
    speed = f"{report.checked:,} entries in {report.seconds:.2f} s, {format_count(report.entries_per_second)}/s"
    if report.beyond and report.verdict != "fail":
        speed += f"; {report.beyond}"
    word = Text(report.verdict.upper(), style=_STYLES[report.verdict])
    blame = ", ".join(map(printable, report.blame))
    console.print(Text.assemble(word, "  ", (f"{blame}  " if blame else "", "bold"), (speed, "dim")))


def _draw_reasons(report: GradcheckReport, console: Console) -> None:
    """Print what is wrong with each guilty layer, or between the layers; wrapped lines stay behind their name."""
    reasons = []
    for layer in report.layers:
        if layer.verdict == "fail":
            said = dict.fromkeys([layer.hint or "wrong, and it looks like no mistake that is known", *layer.problems])
            reasons += [f"{layer.name}: {reason}" for reason in said]
    if report.verdict == "fail" and not reasons and report.hint:
        reasons.append(report.hint)
    reasons += report.problems[:_MOST_PROBLEMS]
    if len(report.problems) > _MOST_PROBLEMS:
        reasons.append(f"and {len(report.problems) - _MOST_PROBLEMS} more of this kind")
    for reason in reasons:
        _indented(Text(printable(reason)), console)
    if report.verdict == "inconclusive":
        _indented(Text(_INCONCLUSIVE), console)


def _indented(text: Text, console: Console) -> None:
    console.print(Padding(text, (0, 0, 0, 2), expand=False))


def _draw_worst(report: GradcheckReport, console: Console) -> None:
    entries = list(_worst_entries(report))
    if not entries:
        return
    shown = entries[:_MOST_ENTRIES]
    columns = [
        Column("verdict", [Text(verdict, style=_STYLES[verdict]) for _, _, verdict in shown], weight=95),
        Column("gradient", [printable(name) for name, _, _ in shown]),
        Column("worst at", [str(list(worst.index)) for _, worst, _ in shown]),
        Column("analytic", [format_number(worst.analytic) for _, worst, _ in shown], "right"),
        Column("numeric", [format_number(worst.numeric) for _, worst, _ in shown], "right"),
        Column("ratio", [_ratio(worst) for _, worst, _ in shown], "right", 90),
        Column("bound", [f"{worst.bound:.0e}" for _, worst, _ in shown], "right", 80),
        Column("kink", ["met" if worst.kink else "no" for _, worst, _ in shown], weight=70),
    ]
    console.print()
    print_table(console, columns, "The worst entry of each gradient that is not right")
    if len(entries) > len(shown):
        console.print(f"and of {len(entries) - len(shown)} more", style="dim")


def _worst_entries(report: GradcheckReport) -> Iterator[tuple[str, WorstEntry, str]]:
    """Yield layers alone first; of tensors that are wrong end to end those that no guilty layer explains."""
    for layer in report.layers:
        worst: dict[str, TensorResult] = {}
        for tensor in layer.tensors:
            if tensor.verdict != "pass" and worst.setdefault(tensor.name, tensor).verdict != "fail":
                worst[tensor.name] = tensor
        for name, tensor in worst.items():
            yield f"{layer.name} d{name}", tensor.worst, tensor.verdict
    named = [(f"∂L/∂{tensor.name}", tensor) for tensor in report.tensors]
    named += [(f"∂L/∂{tensor.name}, moved", tensor) for tensor in report.jittered]
    for name, tensor in named:
        told = tensor.failed or tensor.inconclusive or not report.blame
        if tensor.verdict != "pass" and told and not (tensor.hint or "").startswith(COMES_THROUGH):
            yield name, tensor.worst, tensor.verdict


def _ratio(worst: WorstEntry) -> str:
    """Write a ratio; one next to 1 by how far it is from it."""
    if abs(worst.ratio - 1) < 1e-3:
        return f"1{worst.ratio - 1:+.1e}" if worst.ratio != 1 else "1"
    return "" if worst.ratio != worst.ratio else format_number(worst.ratio)


def gradcheck_document(report: GradcheckReport) -> dict[str, Any]:
    """Return the check as `--json` gives it."""
    return {
        "verdict": report.verdict,
        "blame": report.blame,
        "hint": report.hint,
        "problems": report.problems,
        "seconds": report.seconds,
        "entries_per_second": report.entries_per_second,
        "tensors": [_tensor_document(tensor) for tensor in report.tensors],
        "jittered": [_tensor_document(tensor) for tensor in report.jittered],
        "float32": float32_document(report),
        "as_trained": as_trained_document(report.as_trained),
        "layers": [
            {
                "name": layer.name,
                "type": layer.type,
                "verdict": layer.verdict,
                "hint": layer.hint,
                "problems": layer.problems,
                "tensors": [_tensor_document(tensor) for tensor in layer.tensors],
            }
            for layer in report.layers
        ],
    }


def _tensor_document(tensor: TensorResult) -> dict[str, Any]:
    fields = ("name", "shape", "checked", "passed", "failed", "zero", "inconclusive", "max_relative_error")
    worst = {**plain(tensor.worst), "ratio": plain(tensor.worst.ratio)}
    rest = {"worst": worst, "hint": tensor.hint, "direction": tensor.direction, "verdict": tensor.verdict}
    return {name: plain(getattr(tensor, name)) for name in fields} | rest
