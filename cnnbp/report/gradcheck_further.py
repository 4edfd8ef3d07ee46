"""What `cnnbp gradcheck` says beside its tables: with biases moved, in float32, and as training would do it."""

from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.gradcheck import GradcheckReport
from cnnbp.gradcheck.results import gravest
from cnnbp.report.as_trained import describe_as_trained
from cnnbp.report.console import printable
from cnnbp.report.document import plain

_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def draw_further(report: GradcheckReport, console: Console) -> None:
    """Print a line each."""
    if report.jittered:
        verdict = gravest([tensor.verdict for tensor in report.jittered])
        wrong = [printable(tensor.name) for tensor in report.jittered if tensor.verdict == "fail"]
        entries = sum(tensor.checked for tensor in report.jittered)
        said = f"biases, γ and β moved: {entries:,} entries of {len(report.jittered)} tensors"
        _line(verdict, said + (f", wrong: {', '.join(wrong)}" if wrong else ""), console)
    if report.float32:
        worst, flipped = report.float32.worst, f"{report.float32.flipped:,} of {report.float32.branches:,}"
        apart = f"{worst.units:.1f} roundings of float64 ({printable(worst.name)})"
        _line(report.float32.verdict, f"float32: within {apart}, {flipped} branches flipped", console)

    if report.as_trained:
        _line(report.as_trained.verdict, f"as trained: {describe_as_trained(report.as_trained)}", console)


def _line(verdict: str, said: str, console: Console) -> None:
    console.print(Text.assemble((verdict, _STYLES[verdict]), "  ", said))


def float32_document(report: GradcheckReport) -> dict[str, Any] | None:
    """Return the float32 pass for `--json`; None where it was not run."""
    if report.float32 is None:
        return None
    return {
        "verdict": report.float32.verdict,
        "flipped": report.float32.flipped,
        "branches": report.float32.branches,
        "tensors": plain(report.float32.tensors),
    }
