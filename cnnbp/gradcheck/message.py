"""What is wrong, as the text of an exception: readable in a test's output."""

from collections.abc import Iterator
from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnbp.gradcheck.results import GradcheckReport, TensorResult


class WrongGradientError(AssertionError):
    """A gradient that is wrong, or that could not be told right."""


def message(report: "GradcheckReport") -> str:
    """Return the verdict, what is wrong with each layer, and the worst entry of each gradient that is not right."""
    said = report.hint or "see the worst entries"
    if report.verdict == "pass":
        said = f"{report.checked:,} entries" + (f"; {report.beyond}" if report.beyond else "")
    lines = [f"{report.verdict}: {said}", *report.problems]
    for layer in report.layers:
        lines += [f"  {layer.name}: {problem}" for problem in layer.problems if problem != layer.hint]
        lines += [f"  d{line}" for tensor in layer.tensors for line in _worst(tensor)]
    lines += [f"  ∂L/∂{line}" for tensor in report.tensors for line in _worst(tensor)]
    lines += [f"  {note}" for note in report.notes]
    return "\n".join(lines)


def _worst(tensor: "TensorResult") -> Iterator[str]:
    if tensor.verdict == "pass":
        return
    worst, count = tensor.worst, tensor.failed or tensor.inconclusive
    counted = f"{count:,} of {tensor.checked:,} entries" if count else "along a random direction"
    values = f"analytic {worst.analytic:.8g}, numeric {worst.numeric:.8g}"
    if not isnan(worst.ratio):
        values += f", ratio {worst.ratio:.6g}"
    rest = f"bound {worst.bound:.1e}{', at a kink' if worst.kink else ''}"
    yield f"{tensor.name} {tensor.verdict}: {counted}; worst at {list(worst.index)}: {values}, {rest}"
