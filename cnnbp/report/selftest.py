"""What `cnnbp gradcheck --self-test` and `--break list` show: the bugs, and what became of those that were planted."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.gradcheck.bugs import FittingBug
from cnnbp.gradcheck.selftest import Detection, SelfTestReport
from cnnbp.report.console import printable
from cnnbp.report.document import plain
from cnnbp.report.tables import Column, print_table


def draw_bugs(bugs: Sequence[FittingBug], console: Console) -> None:
    """Print the bugs that can be planted, a line each, as `--break` takes them."""
    columns = [
        Column("LAYER:BUG", [printable(bug.spelling) for bug in bugs]),
        Column("what is wrong", [bug.story for bug in bugs], wraps=True),
    ]
    print_table(console, columns, f"{len(bugs)} bugs to plant, one at a time")


def draw_self_test(report: SelfTestReport, console: Console) -> None:
    """Print a line for each bug of each type of layer, every one that got away, and the sum."""
    kinds = report.kinds
    columns = [
        Column("layer", [type_ for type_, _ in kinds]),
        Column("bug", [bug for _, bug in kinds]),
        Column("planted", [str(len(planted)) for planted in kinds.values()], "right"),
        Column("detected", [_count([d.detected for d in planted]) for planted in kinds.values()], "right"),
        Column("blamed", [_count([d.caught for d in planted]) for planted in kinds.values()], "right"),
        Column("end to end", [str(sum(d.end_to_end for d in planted)) for planted in kinds.values()], "right", 80),
        Column("what is wrong", [planted[0].story for planted in kinds.values()], wraps=True),
    ]
    print_table(console, columns, "Every bug in every network where it shows")
    console.print()
    _draw_escapes(report.detections, console)
    _draw_sum(report, console)


def _count(found: Sequence[bool]) -> Text:
    return Text(str(sum(found)), style="green" if all(found) else "bold red")


def _draw_escapes(detections: Sequence[Detection], console: Console) -> None:
    for detection in detections:
        if not detection.caught:
            blamed = f"blamed on {', '.join(detection.blame)}" if detection.blame else "blamed on no layer"
            what = blamed if detection.detected else "not detected"
            console.print(f"{detection.network}: {detection.layer}:{detection.bug} {what}", style="bold red")


def _draw_sum(report: SelfTestReport, console: Console) -> None:
    planted, caught = len(report.detections), sum(detection.caught for detection in report.detections)
    detected = sum(detection.detected for detection in report.detections)
    console.print(
        Text.assemble(
            (report.verdict.upper(), "green" if report.verdict == "pass" else "bold red"),
            f"  {planted} bugs planted, {detected} detected, {caught} blamed on the right layer",
            (f"  {report.seconds:.1f} s", "dim"),
        )
    )
    alarms = [f"{name} is {verdict}" for name, verdict in report.unbroken.items() if verdict != "pass"]
    if alarms:
        console.print(f"without any bug: {', '.join(alarms)}", style="bold red")
    else:
        console.print(f"      without any bug: no alarm in {', '.join(report.unbroken)}")


def self_test_document(report: SelfTestReport) -> dict[str, Any]:
    """Return every planted bug, the networks without any, and the sums, for `--json`."""
    return {
        "verdict": report.verdict,
        "seconds": report.seconds,
        "planted": len(report.detections),
        "detected": sum(detection.detected for detection in report.detections),
        "blamed": sum(detection.caught for detection in report.detections),
        "unbroken": report.unbroken,
        "detections": [plain(detection) for detection in report.detections],
    }
