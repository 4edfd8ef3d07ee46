"""What is said of a reference that was written."""

from pathlib import Path

from rich.console import Console

from cnnbp.porting.reference import Reference
from cnnbp.report.console import one_line


def draw_saved(path: Path, reference: Reference, console: Console) -> None:
    """Name the file, how its arrays lie, and what it lacks."""
    count, layout = len(reference.arrays), reference.description.layout
    console.print(f"wrote {one_line(str(path))}: {count} arrays, layout {layout}", soft_wrap=True)
    if reference.description.left_out:
        console.print(f"without {reference.description.left_out}", soft_wrap=True)
