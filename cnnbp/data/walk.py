"""Finding the images below a folder: what is hidden, what is no image, and where links lead."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cnnbp.errors import DataError

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})

HIDDEN = "hidden or system files"
BROKEN_LINK = "links that lead nowhere"
OTHER_TYPE = "files of other types"
LINK_OUT = "links that lead out of the folder"

_SYSTEM_NAMES = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Entry:
    """Something visible in a folder, links followed."""

    path: Path
    is_link: bool
    is_folder: bool
    is_file: bool  # a regular one

    @property
    def is_image(self) -> bool:
        """Whether the name promises an image; only its content can keep that."""
        return self.is_file and self.path.suffix.lower() in EXTENSIONS


def entries(folder: Path, skipped: Counter[str]) -> list[Entry]:
    """Return what is visible in `folder`, sorted by name; hidden things are counted.

    Raises DataError when the folder, or something in it, cannot be looked at.
    """
    try:
        with os.scandir(folder) as found:
            names = sorted(found, key=lambda entry: entry.name)
        shown = [entry for entry in names if not (entry.name.startswith(".") or entry.name in _SYSTEM_NAMES)]
        count(skipped, HIDDEN, len(names) - len(shown))
        return [Entry(folder / entry.name, entry.is_symlink(), entry.is_dir(), entry.is_file()) for entry in shown]
    except (OSError, ValueError) as error:  # ValueError: a name that the system cannot have
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"cannot read the folder {str(folder)!r}: {reason}") from error


def count(counts: Counter[str], reason: str, number: int = 1) -> None:
    """Add to a count without leaving zeros behind."""
    if number:
        counts[reason] += number


class Walk:
    """A walk through class folders below `root` that follows links, but not in circles.

    `skipped` counts what was passed over and `followed` the links that led out of `root`.
    """

    def __init__(self, root: Path) -> None:
        self.skipped: Counter[str] = Counter()
        self.followed: Counter[str] = Counter()
        self.root = root

    @cached_property
    def _real_root(self) -> str:
        return os.path.realpath(self.root)

    def images(self, top: Path) -> Iterator[Path]:
        """Yield the images in `top` and below, in no order.

        Raises DataError for a folder that contains itself and for one that cannot be read.
        """
        pending: list[tuple[Path, tuple[str, ...]]] = [(top, ())]  # folders, each with the real paths above it
        while pending:
            folder, above = pending.pop()
            real = os.path.realpath(folder)
            if real in above:
                raise DataError(f"the link {str(folder)!r} leads back to {real!r}, which contains it; remove the link")
            for entry in entries(folder, self.skipped):
                self._note_link(entry)
                if entry.is_folder:
                    pending.append((entry.path, (*above, real)))
                elif entry.is_image:
                    yield entry.path
                else:
                    self.pass_over(entry)

    def pass_over(self, entry: Entry, reason: str | None = None) -> None:
        """Count a file that will not be read; without a `reason`, because it is no image."""
        is_broken = entry.is_link and not entry.path.exists()
        count(self.skipped, reason or (BROKEN_LINK if is_broken else OTHER_TYPE))

    def _note_link(self, entry: Entry) -> None:
        if entry.is_link and (entry.is_folder or entry.is_image):
            leads_out = not Path(os.path.realpath(entry.path)).is_relative_to(self._real_root)
            count(self.followed, LINK_OUT, int(leads_out))
