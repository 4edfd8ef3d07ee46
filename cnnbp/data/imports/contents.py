"""What files of others hold: images in folders, or images with labels, and what their classes are called."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cnnbp.arrays import Array
from cnnbp.data.imports.containers import Bounded, Member, is_zip, members, open_zip, unpacked
from cnnbp.data.imports.formats import (
    ArrayPair,
    Cifar,
    Pieces,
    array_pairs,
    idx_header,
    idx_key,
    idx_labels,
    idx_pieces,
    is_idx,
    read_names,
)
from cnnbp.data.imports.names import Names, safe_parts, split_of
from cnnbp.data.imports.new_folder import NewFolder
from cnnbp.data.layout import split_called
from cnnbp.data.walk import EXTENSIONS, HIDDEN, OTHER_TYPE, is_hidden
from cnnbp.errors import ConfigError, DataError
from cnnbp.files import opened

_READ = (
    "read are folders of images in a zip or tar, MNIST's IDX files, CIFAR's binary version, and npz arrays x and y; "
    "any of them .gz"
)
_CIFAR_NAMES = {"batches.meta.txt": 10, "fine_label_names.txt": 100, "coarse_label_names.txt": 20}
_LARGEST_TEXT = 65_536  # bytes
_FOREIGN = {
    b"\x80": "a pickle, which runs code when it is read; CIFAR has a binary version: cifar-10-binary.tar.gz",
    b"PAR1": "Parquet, which cnnbp does not read; its images can be saved as files or as npz",
    b"\x89HDF": "HDF5, which cnnbp does not read; its arrays can be saved as npz",
}


@dataclass
class Contents:
    """What the files hold, found by looking through all of them; then written, file by file."""

    classes: Sequence[str]
    coarse: bool
    images: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    labels: dict[str, Array] = field(default_factory=dict)  # of IDX, by what they have in common with their images
    waiting: dict[str, int] = field(default_factory=dict)  # the images of IDX files, in the same way
    names: dict[int, tuple[str, ...]] = field(default_factory=dict)  # of CIFAR's classes, by how many they are
    splits: set[str | None] = field(default_factory=set)
    largest: int = -1  # label
    above: tuple[str, ...] | None = None  # folders that all image files lie in
    shallowest: int = 0  # folders and name of the image file with fewest

    def through(self, file: Path) -> None:
        """Look through one file."""
        if pairs := _npz(file):
            for pair in pairs:
                self._labelled(pair.split, len(pair.labels), int(pair.labels.max()))
            return
        for member in map(unpacked, members(file)):
            self._member(member)

    def _member(self, member: Member) -> None:
        parts, head = safe_parts(member.name), member.content.peek(4)
        name = parts[-1].lower()
        if any(map(is_hidden, parts)):
            self.skipped[HIDDEN] += 1
        elif _is_image(name):
            self._image(parts)
        elif name in _CIFAR_NAMES:
            self.names[_CIFAR_NAMES[name]] = _class_names(member.content)
        elif name.endswith(".bin"):
            cifar = Cifar.of(member, coarse=self.coarse)
            self._labelled(split_of(member.name), (member.size or 0) // cifar.record, cifar.classes - 1)
        elif is_idx(head) and head[3] == 1:
            self.labels[idx_key(member.name)] = labels = idx_labels(member)
            self.largest = max(self.largest, int(labels.max()))
        elif is_idx(head):
            self.waiting[idx_key(member.name)] = count = idx_header(member).shape[0]
            self._labelled(split_of(member.name), count, 0)
        else:
            self._other(member, head)

    def _other(self, member: Member, head: bytes) -> None:
        for magic, what in _FOREIGN.items():
            if head.startswith(magic):
                raise DataError(f"{member.name!r} is {what}")
        self.skipped[OTHER_TYPE] += 1

    def _image(self, parts: tuple[str, ...]) -> None:
        self.images += 1
        folders = parts[:-1]
        before = folders if self.above is None else self.above
        same = next((n for n, (a, b) in enumerate(zip(before, folders, strict=False)) if a != b), None)
        self.above = before[: min(len(before), len(folders)) if same is None else same]
        self.shallowest = min(len(parts), self.shallowest or len(parts))

    def _labelled(self, split: str | None, images: int, largest: int) -> None:
        self.images += images
        self.splits.add(split)
        self.largest = max(self.largest, largest)

    def check(self) -> None:
        """Raise DataError where no image folder can come of it."""
        for key, count in self.waiting.items():
            if key not in self.labels or len(self.labels[key]) != count:
                there = f"{len(self.labels[key])} labels" if key in self.labels else "no labels"
                raise DataError(f"there are {count} images of {key or 'an IDX file'!r} and {there}: name both files")
        if not self.images:
            ignored = ", ".join(f"{count} {reason}" for reason, count in self.skipped.items())
            raise DataError(f"no images were found{f': {ignored}' if ignored else ''}; {_READ}")
        if None in self.splits and len(self.splits) > 1:
            raise DataError("some files say train or test in their names and others do not: import them apart")
        if self.splits and self.splits.isdisjoint({"train", None}):
            raise DataError("there are no images to train on: name the files of the training split, too")
        if self.classes and self.largest >= len(self.classes):
            raise ConfigError(f"--classes names {len(self.classes)}, and there is a label {self.largest}")
        _check_class_names(self.classes)

    def write(self, file: Path, folder: NewFolder) -> Iterator[None]:
        """Write the images of one file; yields after each."""
        if pairs := _npz(file):
            with opened(file) as source, open_zip(source) as archive:
                for pair in pairs:
                    yield from self._draw(pair.split, pair.pieces(archive), folder)
            return
        for member in map(unpacked, members(file)):
            parts, head = safe_parts(member.name), member.content.peek(4)
            if any(map(is_hidden, parts)):
                continue
            if _is_image(parts[-1].lower()):
                folder.copy(parts[self._wrapping :], member.content)
                yield
            elif parts[-1].lower().endswith(".bin"):
                pieces = Cifar.of(member, coarse=self.coarse).pieces(member)
                yield from self._draw(split_of(member.name), pieces, folder)
            elif is_idx(head) and head[3] > 1:
                pieces = idx_pieces(member, self.labels[idx_key(member.name)])
                yield from self._draw(split_of(member.name), pieces, folder)

    def _draw(self, split: str | None, pieces: Pieces, folder: NewFolder) -> Iterator[None]:
        for images, labels in pieces:
            for pixels, label in zip(images, labels, strict=True):
                folder.draw((*((split,) if split else ()), self._class(int(label))), pixels)
                yield

    def _class(self, label: int) -> str:
        names = self.classes or self.names.get(self.largest + 1, ())
        return names[label] if names else f"{label:0{len(str(self.largest))}}"

    @property
    def _wrapping(self) -> int:
        """How many of the folders that all image files lie in are neither classes nor splits."""
        above = self.above or ()
        most = min(len(above), max(self.shallowest - 2, 0))
        return next((n for n in range(most) if split_called(above[n])), most)


def _is_image(name: str) -> bool:
    return any(name.endswith(extension) for extension in EXTENSIONS)


def _npz(file: Path) -> list[ArrayPair]:
    """Return the arrays of an npz; nothing for any other file."""
    with opened(file) as source:
        if not is_zip(source):
            return []
        with open_zip(source) as archive:
            names = archive.namelist()
            return array_pairs(archive) if names and all(name.endswith(".npy") for name in names) else []


def _class_names(content: Bounded) -> tuple[str, ...]:
    names = tuple(name.strip() for name in read_names(content.read(_LARGEST_TEXT).decode()))
    _check_class_names(names)
    return names


def _check_class_names(names: Sequence[str]) -> None:
    """Raise DataError where names of classes cannot be those of folders side by side."""
    taken = Names()
    for name in names:
        if len(safe_parts(name)) != 1 or "/" in name or is_hidden(name):
            raise DataError(f"{name!r} cannot be the name of a class's folder")
        taken.add((name,))
