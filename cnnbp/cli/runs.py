"""`cnnbp runs`: which runs there are, what differs between them, and what came of each."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, verb
from cnnbp.errors import CheckpointError
from cnnbp.experiments.records import RunRecord, find_runs, read_record
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.document import write_json
from cnnbp.report.experiments import draw_runs, runs_document

_USUAL = Path("runs")


@verb
def runs(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR|RUN]…", show_default=False, help="Folders of runs, or runs; by default runs/."),
    ] = None,
    *,
    curves: Annotated[bool, typer.Option("--curves", help="Draw the runs' curves over one another.")] = False,
    common: Common,
) -> None:
    """List runs: what differs in their configurations, epochs, best epoch, test, when and how they ended."""
    there = folders or ([_USUAL] if _USUAL.is_dir() else [])
    paths = [path for folder in there for path in find_runs(folder)]
    if not paths:
        raise CheckpointError(f"there is no run {'there' if folders else 'in runs/'}: cnnbp train CONFIG makes one")
    notes = notes_console(quiet=common.quiet)
    records: list[RunRecord] = []
    for path in dict.fromkeys(paths):
        try:
            records.append(read_record(path))
        except CheckpointError as error:
            notes.print(f"warning: {error}", style="yellow", soft_wrap=True)
    if common.json:
        write_json(runs_document(records))
    else:
        draw_runs(records, results_console(), curves=curves)
