"""What `cnnbp export` says of the file that it wrote."""

from rich.console import Console
from rich.text import Text

from cnnbp.export import Export
from cnnbp.report.console import one_line
from cnnbp.report.formatting import format_bytes


def draw_export(export: Export, console: Console) -> None:
    """Name the file, what is in it, and how it is read."""
    console.print(Text.assemble(("wrote    ", "bold"), one_line(str(export.path))), soft_wrap=True)
    line = f"{export.arrays} arrays, {export.numbers:,} numbers, {format_bytes(export.bytes)}"
    console.print(Text.assemble(("holds    ", "bold"), line))
    console.print(Text.assemble(("reads as ", "bold"), export.usage), soft_wrap=True)
