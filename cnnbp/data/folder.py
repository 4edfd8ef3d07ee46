"""Scanning an image folder: DIR/<class>/*, or DIR/{train,val,test}/<class>/*."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from cnnbp.data.walk import Entry, Walk, by_parts, sorted_entries
from cnnbp.errors import DataError

SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

LOOSE_IMAGE = "images outside any class folder"

ClassFiles = Mapping[str, Sequence[str]]  # the names of each class's images


@dataclass(frozen=True, eq=False)
class Split:
    """The images of one split, sorted by class and path."""

    root: Path
    names: tuple[str, ...]  # POSIX paths from `root`
    labels: NDArray[np.intp]  # (N,) class of each file

    @property
    def files(self) -> "Files":
        """Where the images are."""
        return Files(self.root, self.names)


@dataclass(frozen=True, eq=False)
class Files(Sequence[Path]):
    """Paths that are made when they are needed: as many as there are images, they would take more than the names."""

    root: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> "Files": ...

    def __getitem__(self, index: int | slice) -> "Path | Files":
        names = self.names[index]
        return Files(self.root, names) if isinstance(names, tuple) else self.root / names


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """What a scan found; no image has been opened.

    `splits` has those of "train", "val" and "test" that are there. `empty` names the class folders without images, from
    the root. `skipped` counts by reason what was passed over; `followed` the links that lead out of the folder, and
    `dead_links` names those that lead nowhere.
    """

    root: Path
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    empty: tuple[str, ...]
    skipped: Mapping[str, int]
    followed: Mapping[str, int]
    dead_links: tuple[str, ...] = ()


def scan_folder(root: Path, *, classes: Sequence[str] | None = None, allow_empty: bool = False) -> ImageFolder:
    """Find the images below `root`, their classes and their splits.

    Classes are the train split's folders, sorted by name; or `classes`, those of a trained network, and then no train
    split is needed. Raises DataError when there are no class folders, for empty ones (unless `allow_empty`), unknown
    ones, link loops, and folders that cannot be read.
    """
    root = root.absolute()
    walk = Walk(root)
    folders = _split_folders(root, walk)
    found = {split: _class_files(folder, walk) for split, folder in folders.items()}
    if classes is None and "train" not in found:
        raise DataError(f"{str(root)!r} has {' and '.join(found)} but no train folder")
    names = tuple(classes if classes is not None else found["train"])
    _reject_unknown(found, names, root)
    empty = tuple(
        (folders[split] / name).relative_to(root).as_posix()
        for split, files in found.items()
        for name, images in files.items()
        if not images
    )
    if empty and not allow_empty:
        raise DataError(f"{str(root)!r} has {describe_empty(empty)}")
    present = [split for split in ("train", "val", "test") if split in found]
    splits: dict[str, Split] = {split: _make_split(root, found[split], names) for split in present}
    return ImageFolder(root, names, splits, empty, dict(walk.skipped), dict(walk.followed), tuple(walk.dead_links))


def describe_empty(empty: Sequence[str]) -> str:
    """Return which class folders are without images, and what to do."""
    return f"class folders without images: {_listed(empty)}; fill or remove them, or set data.allow_empty: true"


def _split_folders(root: Path, walk: Walk) -> dict[str, Path]:
    """Return where each split is; a folder that is not laid out in splits is all train."""
    found = sorted_entries(root, walk.skipped)
    names = [entry.name for entry in found if entry.is_folder]
    if not names or not set(names) <= set(SPLIT_NAMES):
        walk.skipped.clear()  # `root` will be read again, as the train split
        return {"train": root}
    _pass_over_files(found, walk)
    splits: dict[str, Path] = {}
    for name in names:
        split = SPLIT_NAMES[name]
        if split in splits:
            raise DataError(f"{str(root)!r} has both {splits[split].name!r} and {name!r}; keep one validation split")
        splits[split] = root / name
    return splits


def _class_files(folder: Path, walk: Walk) -> ClassFiles:
    """Return the images of each class folder of one split; raises DataError when there is none."""
    found = sorted_entries(folder, walk.skipped)
    if not any(entry.is_folder for entry in found):
        loose = sum(entry.is_image for entry in found)
        inside = f"{loose} image{'s' * (loose > 1)} but no" if loose else "no"
        raise DataError(f"{inside} class folders in {str(folder)!r}; cnnbp reads DIR/<class>/<image>")
    _pass_over_files(found, walk)
    prefix = folder.relative_to(walk.root).as_posix().removeprefix(".")
    return {
        entry.name: sorted(walk.images(f"{prefix}/{entry.name}" if prefix else entry.name), key=by_parts)
        for entry in found
        if entry.is_folder
    }


def _pass_over_files(found: Sequence[Entry], walk: Walk) -> None:
    for entry in found:
        if not entry.is_folder:
            walk.pass_over(entry, LOOSE_IMAGE if entry.is_image else None)


def _make_split(root: Path, files: ClassFiles, classes: Sequence[str]) -> Split:
    by_class = [files.get(name, ()) for name in classes]
    labels = np.repeat(np.arange(len(classes)), [len(images) for images in by_class])
    return Split(root, tuple(chain.from_iterable(by_class)), labels)


def _reject_unknown(found: Mapping[str, ClassFiles], classes: Sequence[str], root: Path) -> None:
    unknown = [f"{split}/{name}" for split, files in found.items() for name in files if name not in classes]
    if unknown:
        raise DataError(f"{str(root)!r} has classes that training does not know: {_listed(unknown)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
