"""`cnnbp compare`: what another program has computed, against a reference."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, verb
from cnnbp.errors import ConfigError
from cnnbp.experiments.records import find_runs
from cnnbp.porting.compare import compare as compared
from cnnbp.porting.files import FOLDER, load_reference, load_tensors
from cnnbp.report.comparison import comparison_document, draw_comparison
from cnnbp.report.console import results_console
from cnnbp.report.document import write_json

_HOLDS = f"a .npz, a .safetensors, or {FOLDER}"


@verb
def compare(
    reference: Annotated[
        Path, typer.Argument(metavar="REF", show_default=False, help="What `cnnbp grads … --save REF` wrote.")
    ],
    mine: Annotated[
        Path,
        typer.Argument(
            metavar="MINE", show_default=False, help=f"Some or all of its arrays as your program has them: {_HOLDS}."
        ),
    ],
    *,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="T",
            show_default=False,
            help="A share of the numbers' size, instead of some roundings.",
        ),
    ] = None,
    common: Common,
) -> None:
    """Name the first tensor that differs, in the order of computation, and say what it looks like."""
    if reference.is_dir() and find_runs(reference):
        raise ConfigError(f"{str(reference)!r} is a run: runs are compared by `cnnbp runs RUN RUN --curves`")
    report = compared(load_reference(reference), load_tensors(mine), tolerance)
    if common.json:
        write_json(comparison_document(report))
    else:
        draw_comparison(report, results_console())
    raise typer.Exit(int(report.verdict == "fail"))
