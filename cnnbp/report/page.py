"""What `cnnbp page` says once the page is written."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from cnnbp.report.console import one_line
from cnnbp.report.formatting import format_bytes


def draw_page(path: Path, size: int, left_out: Sequence[str], console: Console) -> None:
    """Say where the page is, how large it is, and what it had to leave out."""
    console.print(f"wrote {one_line(str(path))}, {format_bytes(size)}: open it in a browser", soft_wrap=True)
    if left_out:
        console.print(f"left out to keep it small: {', '.join(left_out)}", soft_wrap=True)
