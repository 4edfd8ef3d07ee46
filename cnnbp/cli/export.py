"""`cnnbp export`: a run's weights for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, Trust, verb
from cnnbp.cli.config_or_run import RunPath
from cnnbp.export import Format, export_checkpoint
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.document import write_json
from cnnbp.report.export import draw_export
from cnnbp.report.trained import draw_trained
from cnnbp.training.trained import load_trained


@verb
def export(
    run: RunPath,
    *,
    to: Annotated[Format, typer.Option(show_default=False, help="The format.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", show_default=False, help="By default the run's name, in this folder."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    trust: Trust = False,
    common: Common,
) -> None:
    """Write the best checkpoint's weights to a file that other tools read. Never over a file that exists."""
    trained = load_trained(run, trust=trust)
    result = export_checkpoint(trained.checkpoint, to, out or Path(f"{trained.name}.{to}"), overwrite=force)
    if common.json:
        write_json(result)
        return
    draw_trained(trained, notes_console(quiet=common.quiet))
    draw_export(result, results_console())
