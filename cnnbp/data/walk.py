"""Finding the images below a folder: what is hidden, what is no image, and where links lead."""

import errno
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path, PurePosixPath

from cnnbp.errors import DataError

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})

HIDDEN = "hidden or system files and folders"
BROKEN_LINK = "links that lead nowhere"
OTHER_TYPE = "files of other types"
LINK_OUT = "links that lead out of the folder"

_NOWHERE = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG})  # what following a link may end with
# Of desktops, network disks and recycle bins, in any letter case.
_SYSTEM_NAMES = frozenset(
    """
    __macosx  thumbs.db  ehthumbs.db  desktop.ini  icon\r  network trash folder  temporary items
    @eadir  @tmp  @recycle  @recently-snapshot  @sharebin  #recycle  #snapshot
    lost+found  $recycle.bin  recycler  recycled  system volume information
    """.replace("\n", "  ").split("  ")
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something visible in a folder, links followed."""

    folder: Path
    name: str
    is_link: bool
    is_folder: bool
    is_file: bool  # a regular one

    @property
    def path(self) -> Path:
        """Where it is; made when it is needed, as a Path takes ten times as much memory as its name."""
        return self.folder / self.name

    @property
    def is_image(self) -> bool:
        """Whether the name promises an image; only its content can keep that."""
        return self.is_file and os.path.splitext(self.name)[1].lower() in EXTENSIONS  # noqa: PTH122  (no Path)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or left by a system."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def entries(folder: Path, skipped: Counter[str]) -> Iterator[Entry]:
    """Yield what is visible in `folder`, in no order; hidden things are counted.

    Raises DataError when the folder, or something in it, cannot be looked at.
    """
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if is_hidden(entry.name):
                    count(skipped, HIDDEN)
                else:
                    yield _looked_at(folder, entry)
    except (OSError, ValueError) as error:  # ValueError: a name that the system cannot have
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"cannot read the folder {str(folder)!r}: {reason}") from error


def _looked_at(folder: Path, found: os.DirEntry[str]) -> Entry:
    """Follow a link to see what it is. An image that cannot be looked at is left for its decoder to name."""
    try:
        return Entry(folder, found.name, found.is_symlink(), found.is_dir(), found.is_file())
    except OSError as error:
        entry = Entry(folder, found.name, is_link=True, is_folder=False, is_file=error.errno not in _NOWHERE)
        if entry.is_file and not entry.is_image:
            raise DataError(f"cannot look at {str(entry.path)!r}: {error.strerror}") from error
        return entry


def sorted_entries(folder: Path, skipped: Counter[str]) -> list[Entry]:
    """Return what is visible in `folder`, by name."""
    return sorted(entries(folder, skipped), key=attrgetter("name"))


def count(counts: Counter[str], reason: str, number: int = 1) -> None:
    """Add to a count without leaving zeros behind."""
    if number:
        counts[reason] += number


class Walk:
    """A walk through class folders below `root` that follows links, but not in circles.

    `skipped` counts what was passed over, `followed` the links that led out of `root`; `dead_links` names those that
    led nowhere, from `root`; `nested` counts the images of each folder inside a class folder.
    """

    def __init__(self, root: Path) -> None:
        self.skipped: Counter[str] = Counter()
        self.followed: Counter[str] = Counter()
        self.dead_links: list[str] = []
        self.nested: Counter[str] = Counter()
        self.root = root

    @cached_property
    def _real_root(self) -> str:
        return os.path.realpath(self.root)

    def images(self, top: str = "") -> Iterator[str]:
        """Yield the images in the folder `top` of the root and below, as POSIX paths from the root, in no order.

        Raises DataError for a folder that contains itself and for one that cannot be read.
        """
        above = tuple(os.path.realpath(self.root / folder) for folder in PurePosixPath(top).parents) if top else ()
        pending = [(top, above, top)]  # folders, each with the real paths above it and the last link on the way to it
        while pending:
            name, above, link = pending.pop()
            folder = self.root / name
            real = os.path.realpath(folder)
            if real in above:
                raise DataError(
                    f"the link {str(self.root / link)!r} leads back to {real!r}, which contains it; remove the link"
                )
            for entry in entries(folder, self.skipped):
                self._note_link(entry)
                inner = f"{name}/{entry.name}" if name else entry.name
                if entry.is_folder:
                    pending.append((inner, (*above, real), inner if entry.is_link else link))
                elif entry.is_image:
                    self.nested[name] += name != top
                    yield inner
                else:
                    self.pass_over(entry)

    def pass_over(self, entry: Entry, reason: str | None = None) -> None:
        """Count a file that will not be read; without a `reason`, because it is no image."""
        if reason is None and entry.is_link and not os.path.exists(entry.path):  # noqa: PTH110  (a Path's may raise)
            self.dead_links.append(entry.path.relative_to(self.root).as_posix())
            reason = BROKEN_LINK
        count(self.skipped, reason or OTHER_TYPE)

    def _note_link(self, entry: Entry) -> None:
        if entry.is_link and (entry.is_folder or entry.is_image):
            leads_out = not Path(os.path.realpath(entry.path)).is_relative_to(self._real_root)
            count(self.followed, LINK_OUT, int(leads_out))


def by_parts(name: str) -> str:
    """Return what sorts POSIX paths as their folders are sorted: `a/x` before `a b/x`."""
    return name.replace("/", "\0")
