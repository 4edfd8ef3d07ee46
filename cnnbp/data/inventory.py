"""Everything that is in an image folder, before any network: every image is decoded, and none is kept."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnbp.data.convert import in_mode
from cnnbp.data.decode import decoded_image
from cnnbp.data.duplicates import Digests, Pairs, digest, find_copies, find_duplicates
from cnnbp.data.folder import ImageFolder, Split, describe_empty, scan_folder
from cnnbp.data.opening import MAX_PIXELS, UnreadableImage, muted_pillow, opened_image
from cnnbp.data.parallel import in_chunks
from cnnbp.data.store import BadImage
from cnnbp.display import Shown

Progress = Callable[[str, int, int], None]  # split, images done, images in all

_WHITE = (255, 255, 255)
_MODES = {
    "1": "1-bit",
    "L": "grey",
    "LA": "grey with alpha",
    "La": "grey with alpha",
    "P": "palette",
    "PA": "palette with alpha",
    "RGBA": "RGB with alpha",
    "I": "16-bit grey",
    "I;16": "16-bit grey",
    "I;16B": "16-bit grey",
}


@dataclass(frozen=True)
class SizeCount:
    """How many images have a size, upright."""

    width: int
    height: int
    images: int


@dataclass(frozen=True, repr=False)
class Inventory(Shown):
    """An image folder in counts: the images that can be read, by split and class, and what else there is.

    `sizes`, `modes` and `formats` begin with the most frequent. Of images with the same pixels, `duplicates` are pairs
    in two splits, `twins` in two classes of one split, `copies` in one class. `problems` says, one by one, why training
    would refuse the folder.
    """

    root: Path
    classes: tuple[str, ...]
    splits: Mapping[str, Mapping[str, int]]
    sizes: tuple[SizeCount, ...]
    modes: Mapping[str, int]
    formats: Mapping[str, int]
    notes: Mapping[str, int]
    skipped: Mapping[str, int]
    followed: Mapping[str, int]
    dead_links: tuple[str, ...]
    remarks: tuple[str, ...]
    bad: tuple[BadImage, ...]
    duplicates: Pairs
    twins: Pairs
    copies: Pairs
    problems: tuple[str, ...]

    def __repr__(self) -> str:
        images = ", ".join(f"{sum(counts.values())} {split}" for split, counts in self.splits.items())
        return f"<Inventory of {str(self.root)!r}: {len(self.classes)} classes; images {images}>"


def take_inventory(
    root: Path,
    *,
    skip_bad: bool = False,
    allow_empty: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
    threads: int = 1,
) -> Inventory:
    """Look at every image below `root`.

    Bad images are a problem unless `skip_bad`, class folders without images unless `allow_empty`. Raises DataError for
    a folder that has no classes or cannot be walked through.
    """
    folder = scan_folder(root, allow_empty=True)
    looks = {name: _Look(split, max_pixels) for name, split in folder.splits.items()}
    with muted_pillow():
        for name, look in looks.items():
            for done in look.at_all(threads):
                if progress:
                    progress(name, done, len(look.split.files))
    return _inventory(folder, looks, skip_bad=skip_bad, allow_empty=allow_empty)


@dataclass(frozen=True)
class Portrait:
    """What is to be counted of an image."""

    size: tuple[int, int]
    mode: str
    format: str
    notes: frozenset[str]


class _Look:
    """A look at each image of a split; a set of digests, as `find_duplicates` compares them."""

    def __init__(self, split: Split, max_pixels: int) -> None:
        self.split, self.max_pixels = split, max_pixels
        self.all_portraits: list[Portrait | None] = [None] * len(split.names)  # equal ones are one object
        self.all_digests = np.zeros(len(split.names), np.uint64)
        self.reasons: dict[int, str] = {}
        self._kinds: dict[Portrait, Portrait] = {}

    def at_all(self, threads: int) -> Iterator[int]:
        """Decode every file; yields how many are done."""
        done = 0
        with closing(in_chunks(self._at, len(self.split.files), threads)) as chunks:
            for chunk, found in chunks:
                for index, one in zip(chunk, found, strict=True):
                    self._keep(index, one)
                yield (done := done + len(chunk))

    def _at(self, chunk: range) -> list["tuple[Portrait, int] | str"]:
        """Return a portrait and a digest for each image, or why there is none."""
        found: list[tuple[Portrait, int] | str] = []
        for index in chunk:
            try:
                found.append(portray(self.split.files[index], self.max_pixels))
            except UnreadableImage as error:
                found.append(error.reason)
        return found

    def _keep(self, index: int, found: "tuple[Portrait, int] | str") -> None:
        if isinstance(found, str):
            self.reasons[index] = found
        else:
            portrait, self.all_digests[index] = found
            self.all_portraits[index] = self._kinds.setdefault(portrait, portrait)

    @property
    def portraits(self) -> list[Portrait]:
        """Those of the images that can be read, as all that follows."""
        return [portrait for portrait in self.all_portraits if portrait]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for index, name in enumerate(self.split.names) if index not in self.reasons)

    @property
    def digests(self) -> Digests:
        return np.delete(self.all_digests, list(self.reasons))

    @property
    def labels(self) -> NDArray[np.intp]:
        """The class of each image."""
        return np.delete(self.split.labels, list(self.reasons))

    @property
    def bad(self) -> Iterator[BadImage]:
        return (BadImage(self.split.names[index], self.reasons[index]) for index in sorted(self.reasons))

    def images_of(self, classes: Sequence[str]) -> dict[str, int]:
        """Return how many images of each class can be read."""
        counts = np.bincount(self.labels, minlength=len(classes))
        return dict(zip(classes, counts.tolist(), strict=True))


def portray(path: Path, max_pixels: int) -> tuple[Portrait, int]:
    """Look at one image as a whole, and return the digest of its pixels too. Raises UnreadableImage."""
    notes: set[str] = set()
    with opened_image(path, max_pixels) as image:
        mode = _MODES.get(image.mode, image.mode)
        upright = decoded_image(image, _WHITE, notes.add)
        pixels = np.asarray(in_mode("RGB", upright))
        return Portrait(upright.size, mode, image.format or "", frozenset(notes)), digest(pixels)


def _inventory(folder: ImageFolder, looks: Mapping[str, _Look], *, skip_bad: bool, allow_empty: bool) -> Inventory:
    portraits = [portrait for look in looks.values() for portrait in look.portraits]
    sizes = Counter(portrait.size for portrait in portraits)
    bad = tuple(image for look in looks.values() for image in look.bad)
    empty = () if allow_empty else folder.empty
    within, across = zip(*(find_copies(look, look.labels) for look in looks.values()), strict=True)
    return Inventory(
        root=folder.root,
        classes=folder.classes,
        splits={name: look.images_of(folder.classes) for name, look in looks.items()},
        sizes=tuple(SizeCount(*size, images) for size, images in sizes.most_common()),
        modes=dict(Counter(portrait.mode for portrait in portraits).most_common()),
        formats=dict(Counter(portrait.format for portrait in portraits).most_common()),
        notes=dict(Counter(note for portrait in portraits for note in portrait.notes).most_common()),
        skipped=folder.skipped,
        followed=folder.followed,
        dead_links=folder.dead_links,
        remarks=folder.remarks,
        bad=bad,
        duplicates=tuple(pair for two in combinations(looks.values(), 2) for pair in find_duplicates(*two)),
        twins=tuple(chain.from_iterable(across)),
        copies=tuple(chain.from_iterable(within)),
        problems=tuple(_problems(folder, len(portraits), 0 if skip_bad else len(bad), empty)),
    )


def _problems(folder: ImageFolder, readable: int, bad: int, empty: Sequence[str]) -> Iterator[str]:
    if len(folder.classes) < 2:
        yield f"one class, {folder.classes[0]!r}: there is nothing to tell apart; at least 2 class folders are needed"
    if empty:
        yield describe_empty(empty)
    if bad:
        yield f"{bad} of {readable + bad} images cannot be read (--skip-bad goes on without them)"
    elif not readable:
        yield "no image that can be read"
