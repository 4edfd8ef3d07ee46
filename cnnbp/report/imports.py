"""What `cnnbp import` says of the folder that it has made."""

import shlex

from rich.console import Console
from rich.text import Text

from cnnbp.data.imports.importing import Imported
from cnnbp.report.console import one_line, printable

_MOST_CLASSES = 12


def draw_imported(imported: Imported, console: Console) -> None:
    """Name the folder, its classes, the images of each split, and what can be done with it."""
    folder, names = imported.folder, [one_line(name) for name in imported.classes]
    counts = ", ".join(f"{images:,} {split}" for split, images in imported.splits.items())
    shown = ", ".join(names[:_MOST_CLASSES]) + ", …" * (len(names) > _MOST_CLASSES)
    console.print(Text.assemble(("wrote    ", "bold"), one_line(str(folder))), soft_wrap=True)
    console.print(Text.assemble(("classes  ", "bold"), f"{len(names)}: {shown}"))
    console.print(Text.assemble(("images   ", "bold"), counts))
    if imported.skipped:
        skipped = ", ".join(f"{count} {reason}" for reason, count in imported.skipped.items())
        console.print(Text.assemble(("skipped  ", "bold"), skipped))
    quoted = printable(shlex.quote(str(folder)))
    console.print(Text.assemble(("next     ", "bold"), f"cnnbp data {quoted}"), soft_wrap=True)
