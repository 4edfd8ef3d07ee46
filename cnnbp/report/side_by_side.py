"""What `cnnbp evaluate` shows of several runs: a line for each, and how far it is from the best."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from cnnbp.evaluate.side_by_side import Beside, Measured, common_images, side_by_side
from cnnbp.report.console import one_line
from cnnbp.report.formatting import format_number
from cnnbp.report.tables import Column, print_table


def draw_side_by_side(runs: Sequence[Measured], console: Console) -> None:
    """Print the table, and say where the runs were measured on other images than each other."""
    results = [run.evaluation for run in runs]
    besides = side_by_side(runs)
    areas = [result.area_under_curve for result in results]
    columns = [
        Column("run", [one_line(run.run) for run in runs]),
        Column("split", [run.split for run in runs], weight=60),
        Column("images", [str(result.images) for result in results], "right", 70),
        Column("accuracy", [f"{result.accuracy:.2%}" for result in results], "right"),
        Column("95% interval", ["{:.1%} to {:.1%}".format(*result.interval) for result in results], "right", 50),
        Column("loss", [format_number(result.loss) for result in results], "right", 90),
        Column("mean\nF1", [f"{result.mean.f1:.1%}" for result in results], "right", 40),
        Column("ROC\narea", ["" if area is None else f"{area:.4f}" for area in areas], "right", 30),
        Column("calibration\nerror", [f"{result.calibration_error:.1%}" for result in results], "right", 20),
        Column("only this or\nonly the best right", [_counts(beside) for beside in besides], "right", 35),
        Column("", [_judgement(beside) for beside in besides], weight=95),
    ]
    print_table(console, columns)
    common = common_images(runs)
    if common is not None:
        console.print(
            f"Not on the same images: {common} are common to all. A folder that none of them has seen, given as DATA, "
            "makes them comparable.",
            style="yellow",
        )


def side_by_side_document(runs: Sequence[Measured], documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the runs' documents for `--json`, and what the table says of them."""
    common = common_images(runs)
    return {
        "runs": list(documents),
        "beside_best": [asdict(beside) for beside in side_by_side(runs)],
        "common_images": runs[0].evaluation.images if common is None else common,
        "same_images": common is None,
    }


def _counts(beside: Beside) -> str:
    return "" if beside.only_this is None else f"{beside.only_this} : {beside.only_best}"


def _judgement(beside: Beside) -> Text:
    if beside.is_best:
        return Text("best", "bold green")
    return Text({True: "worse", False: "not told apart from the best", None: "other images"}[beside.is_worse])
