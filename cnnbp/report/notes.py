"""What was skipped and what decoding had to do: said once, with a count."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from cnnbp.data.folder import ImageFolder
from cnnbp.data.store import BadImage
from cnnbp.report.console import printable

_NAMED = 10  # of the links that lead nowhere


def draw_folder(folder: ImageFolder, console: Console) -> None:
    """Say what is odd about a folder, which links lead nowhere and how many lead elsewhere."""
    for remark in folder.remarks:
        console.print(printable(f"note: {remark}"), soft_wrap=True)
    for name in folder.dead_links[:_NAMED]:
        console.print(printable(f"skipped {name!r}: the link leads nowhere"), soft_wrap=True)
    for links, count in folder.followed.items():
        console.print(f"followed {count} {links}", soft_wrap=True)


def draw_notes(skipped: Mapping[str, int], notes: Mapping[str, int], console: Console) -> None:
    """Say how many files were passed over, by reason, and how many images decoding changed, by what it did."""
    for reason, count in skipped.items():
        console.print(f"skipped {count} {reason}", soft_wrap=True)
    for note, count in notes.items():
        console.print(f"{count} images {note}", soft_wrap=True)


def draw_skipped_images(bad: Sequence[BadImage], console: Console) -> None:
    """Name each image that could not be read, and say why."""
    for image in bad:
        console.print(printable(f"skipped {image.name!r}: {image.reason}"), soft_wrap=True)
