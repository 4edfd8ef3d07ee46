"""`cnnbp data`: what is in an image folder, and what is wrong with it."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, verb
from cnnbp.data.inventory import Inventory, take_inventory
from cnnbp.data.opening import MAX_PIXELS
from cnnbp.errors import DataError
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.data import draw_inventory
from cnnbp.report.document import write_json
from cnnbp.report.progress import progress_bar


@verb
def data(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False, help="The image folder.")],
    *,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Accept images that cannot be read.")] = False,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Accept class folders without images.")] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Images with more pixels cannot be read.")] = MAX_PIXELS,
    common: Common,
) -> None:
    """Decode every image and show classes, sizes, modes, what is skipped, what is bad and what is there twice."""
    with progress_bar(notes_console(quiet=common.quiet)) as bar:
        inventory = take_inventory(
            folder,
            skip_bad=skip_bad,
            allow_empty=allow_empty,
            max_pixels=max_pixels,
            progress=lambda split, done, total: bar.show(f"decoding {split}", done, total),
            threads=common.cores,
        )
    if common.json:
        write_json(inventory)
    else:
        draw_inventory(inventory, results_console())
    _refuse(inventory)


def _refuse(inventory: Inventory) -> None:
    """Say why training would refuse the folder, if it would. Raises DataError."""
    if inventory.problems:
        raise DataError(f"{str(inventory.root)!r} cannot be trained on: {'; '.join(inventory.problems)}")
