"""Scanning an image folder: DIR/<class>/*, or DIR/{train,val,test}/<class>/*."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from cnnbp.data.layout import (
    listed,
    refuse_splits_in_classes,
    refuse_unknown,
    refuse_wrapped,
    same_but_for_spelling,
    split_called,
    split_folders,
)
from cnnbp.data.walk import Entry, Walk, by_parts, sorted_entries
from cnnbp.errors import DataError

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
    `dead_links` names those that lead nowhere. `remarks` are sentences about what may not be as it was meant.
    """

    root: Path
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    empty: tuple[str, ...]
    skipped: Mapping[str, int]
    followed: Mapping[str, int]
    dead_links: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def scan_folder(root: Path, *, classes: Sequence[str] | None = None, allow_empty: bool = False) -> ImageFolder:
    """Find the images below `root`, their classes and their splits.

    Classes are the train split's folders, sorted by name; or `classes`, those of a trained network, and then no train
    split is needed. Raises DataError when there are no class folders, for empty ones (unless `allow_empty`), unknown
    ones, folders that only look like splits or classes, link loops, and folders that cannot be read.
    """
    root = root.absolute()
    walk = Walk(root)
    folders = _folders(root, walk)
    found = {split: _class_files(folder, walk) for split, folder in folders.items()}
    _refuse_other_layouts(root, folders, found, walk, classes or ())
    if classes is None and "train" not in found:
        raise DataError(f"{str(root)!r} has {' and '.join(found)} but no train folder")
    names = tuple(classes if classes is not None else found["train"])
    refuse_unknown(root, found, names)
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
    return ImageFolder(
        root,
        names,
        splits,
        empty,
        dict(walk.skipped),
        dict(walk.followed),
        tuple(walk.dead_links),
        tuple(_remarks(root, folders, walk, names)),
    )


def describe_empty(empty: Sequence[str]) -> str:
    """Return which class folders are without images, and what to do."""
    return f"class folders without images: {listed(empty)}; fill or remove them, or set data.allow_empty: true"


def _folders(root: Path, walk: Walk) -> dict[str, Path]:
    """Return where each split is; a folder that is not laid out in splits is all train."""
    found = sorted_entries(root, walk.skipped)
    splits = split_folders(root, [entry.name for entry in found if entry.is_folder])
    if not splits:
        walk.skipped.clear()  # `root` will be read again, as the train split
        return {"train": root}
    _pass_over_files(found, walk)
    return {split: root / name for split, name in splits.items()}


def _refuse_other_layouts(
    root: Path, folders: Mapping[str, Path], found: Mapping[str, ClassFiles], walk: Walk, known: Sequence[str]
) -> None:
    """Raise DataError where the class folders are no classes."""
    for split, folder in folders.items():
        if len(found[split]) == 1 and not set(known) & set(found[split]):
            refuse_wrapped(root, folder, *found[split])
    if folders == {"train": root}:
        refuse_splits_in_classes(root, sorted(walk.nested))


def _remarks(root: Path, folders: Mapping[str, Path], walk: Walk, classes: Sequence[str]) -> Iterator[str]:
    for split, folder in folders.items():
        if folder != root and folder.name != split:
            yield f"the folder {folder.name!r} is read as the {split} split"
    if walk.nested.total():
        yield f"{walk.nested.total()} images lie in folders inside class folders, as in {min(+walk.nested)!r}"
    yield from same_but_for_spelling(classes)


def _class_files(folder: Path, walk: Walk) -> ClassFiles:
    """Return the images of each class folder of one split; raises DataError when there is none."""
    found = sorted_entries(folder, walk.skipped)
    if not any(entry.is_folder for entry in found):
        raise DataError(_no_classes(folder, sum(entry.is_image for entry in found), is_split=folder != walk.root))
    _pass_over_files(found, walk)
    prefix = folder.relative_to(walk.root).as_posix().removeprefix(".")
    return {
        entry.name: sorted(walk.images(f"{prefix}/{entry.name}" if prefix else entry.name), key=by_parts)
        for entry in found
        if entry.is_folder
    }


def _no_classes(folder: Path, images: int, *, is_split: bool) -> str:
    """Say that there are no class folders; images without classes are what competitions hand out as a test."""
    inside = f"{images} image{'s' * (images > 1)} but no" if images else "no"
    message = f"{inside} class folders in {str(folder)!r}; cnnbp reads DIR/<class>/<image>"
    if is_split and images and split_called(folder.name) == "test":
        return f"{message}; if nothing says their classes, move the folder out, and let cnnbp predict name them"
    return message


def _pass_over_files(found: Sequence[Entry], walk: Walk) -> None:
    for entry in found:
        if not entry.is_folder:
            walk.pass_over(entry, LOOSE_IMAGE if entry.is_image else None)


def _make_split(root: Path, files: ClassFiles, classes: Sequence[str]) -> Split:
    by_class = [files.get(name, ()) for name in classes]
    labels = np.repeat(np.arange(len(classes)), [len(images) for images in by_class])
    return Split(root, tuple(chain.from_iterable(by_class)), labels)
