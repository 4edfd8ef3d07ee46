"""`cnnbp import`: data of other kinds made an image folder.

A verb of its own: in `cnnbp data import` the word would be the name of a folder, as it is for any other.
"""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, verb
from cnnbp.data.imports.importing import import_files
from cnnbp.errors import ConfigError
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.document import write_json
from cnnbp.report.imports import draw_imported
from cnnbp.report.progress import progress_bar


@verb
def import_(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE… DIR", show_default=False, help="The files; the folder to make of them."),
    ],
    *,
    classes: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="What the labels 0, 1, … are called; else their numbers.")
    ] = None,
    coarse: Annotated[bool, typer.Option("--coarse", help="Of CIFAR-100 the 20 classes, not the 100.")] = False,
    common: Common,
) -> None:
    """Make an image folder of a zip or tar of folders, MNIST's IDX files, CIFAR's binary version, or npz arrays."""
    *files, target = paths
    if not files:
        raise ConfigError(f"two things are needed, FILE… and DIR, and there is only {str(target)!r}")
    names = [name.strip() for name in classes.split(",")] if classes else []
    with progress_bar(notes_console(quiet=common.quiet)) as bar:
        imported = import_files(
            files,
            target,
            classes=names,
            coarse=coarse,
            progress=lambda done, total: bar.show("importing", done, total),
        )
    if common.json:
        write_json(imported)
    else:
        draw_imported(imported, results_console())
