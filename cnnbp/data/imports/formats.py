"""Formats that hold many images with their labels: MNIST's IDX, CIFAR's binary form, NumPy's npz without pickles.

Each gives pieces of about a megabyte: levels (n, H, W) or (n, H, W, 3) as bytes, and labels (n,).
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np
from numpy.lib import format as npy

from cnnbp.arrays import Array
from cnnbp.data.imports.arrays import Header, image_axes, levels, read_labels, require_end, rows, scale_of
from cnnbp.data.imports.containers import Bounded, Member
from cnnbp.data.imports.names import split_of
from cnnbp.errors import DataError

Pieces = Iterator[tuple[Array, Array]]

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_CIFAR_IMAGE = 3 * 32 * 32
_LONGEST_HEADER = 4096  # bytes of an .npy's
_IMAGES = frozenset({"x", "image", "images", "img", "imgs", "data", "features"})
_LABELS = frozenset({"y", "label", "labels", "target", "targets", "class", "classes"})


def is_idx(head: bytes) -> bool:
    """Tell whether a file begins as IDX: two zeros, the type of its numbers, how many axes."""
    return len(head) > 3 and head[:2] == b"\0\0" and head[2] in _IDX_TYPES and 1 <= head[3] <= 4


def idx_header(member: Member) -> Header:
    """Read the header of an IDX file (LeCun, Cortes & Burges, "The MNIST database", file formats)."""
    magic = member.content.read(4)
    sizes = member.content.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError("it ends in the middle of its header")
    header = Header(np.dtype(_IDX_TYPES[magic[2]]), tuple(map(int, np.frombuffer(sizes, ">u4"))))
    header.check(None if member.size is None else member.size - 4 - 4 * magic[3])
    return header


def idx_key(name: str) -> str:
    """Return what images and labels that belong together have in common: train of train-labels-idx1-ubyte."""
    words = re.split(r"[^a-z0-9]+", name.rpartition("/")[2].lower())
    return " ".join(word for word in words if not re.fullmatch(r"images?|labels?|idx\d|ubyte|idx", word))


def idx_labels(member: Member) -> Array:
    """Read an IDX file of one axis."""
    labels = read_labels(member.content, idx_header(member))
    require_end(member.content)
    return labels


def idx_pieces(member: Member, labels: Array) -> Pieces:
    """Read an IDX file of images."""
    header = idx_header(member)
    if header.dtype.kind != "u":
        raise DataError(f"images of {header.dtype.name} are not read, only of bytes")
    yield from _pieces(rows(member.content, header), header, labels, 1.0)
    require_end(member.content)


@dataclass(frozen=True)
class Cifar:
    """How records are laid out: so many bytes of labels, of which one is meant, then the three colours."""

    label_bytes: int
    label: int
    classes: int

    @classmethod
    def of(cls, member: Member, *, coarse: bool) -> "Cifar":
        """Tell CIFAR-10 from CIFAR-100 by the size (Krizhevsky 2009; "CIFAR-10 and CIFAR-100", binary version)."""
        if member.size is None:
            raise DataError(f"{member.name!r} is compressed on its own: decompress it first")
        if member.size % (1 + _CIFAR_IMAGE) == 0:
            return cls(1, 0, 10)
        if member.size % (2 + _CIFAR_IMAGE) == 0:
            return cls(2, 0, 20) if coarse else cls(2, 1, 100)
        raise DataError(f"{member.name!r} is no whole number of CIFAR's records, {1 + _CIFAR_IMAGE} bytes or one more")

    @property
    def record(self) -> int:
        """Bytes of one image with its labels."""
        return self.label_bytes + _CIFAR_IMAGE

    def pieces(self, member: Member) -> Pieces:
        """Read all records."""
        header = Header(np.dtype(np.uint8), ((member.size or 0) // self.record, self.record))
        header.check(member.size)
        for records in rows(member.content, header):
            labels = records[:, self.label].astype(np.int64)
            if labels.max() >= self.classes:
                raise DataError(f"{member.name!r} has the label {labels.max()} of {self.classes} classes")
            images = records[:, self.label_bytes :].reshape(-1, 3, 32, 32)
            yield images.transpose(0, 2, 3, 1), labels


@dataclass(frozen=True)
class ArrayPair:
    """The arrays of a split in an npz: whose images, whose labels (N,), what levels are multiplied by."""

    split: str | None
    images: str
    header: Header
    labels: Array
    scale: float

    def pieces(self, archive: zipfile.ZipFile) -> Pieces:
        """Read the images again, now for good."""
        with archive.open(self.images) as file:
            content, header = _npy(archive.getinfo(self.images), file)
            yield from _pieces(rows(content, header), header, self.labels, self.scale)
            require_end(content)


def array_pairs(archive: zipfile.ZipFile) -> list[ArrayPair]:
    """Find the images and labels of an npz by their usual names. Raises DataError."""
    names = [info.filename for info in archive.infolist()]
    images, labels = _called(names, _IMAGES), _called(names, _LABELS)
    if not images or images.keys() != labels.keys():
        told = ", ".join(sorted(name.removesuffix(".npy") for name in names))
        raise DataError(f"its arrays are {told}; needed are x and y, or x_train, y_train, x_test, y_test")
    return [_pair(archive, split, images[split], labels[split]) for split in images]


def _called(names: list[str], words: frozenset[str]) -> dict[str | None, str]:
    """Return the arrays of each split that are called by one of the words."""
    found: dict[str | None, str] = {}
    for name in names:
        plain = name.removesuffix(".npy")
        split, spoken = split_of(plain) if plain.lower() not in words else None, re.split("[^a-z0-9]+", plain.lower())
        if len(spoken) == (1 if split is None else 2) and words.intersection(spoken):
            if split in found:
                raise DataError(f"{found[split].removesuffix('.npy')} and {plain} could both be meant")
            found[split] = name
    return found


def _pair(archive: zipfile.ZipFile, split: str | None, images: str, labels: str) -> ArrayPair:
    with archive.open(labels) as file:
        content, header = _npy(archive.getinfo(labels), file)
        found = read_labels(content, header)
        require_end(content)
    with archive.open(images) as file:
        content, header = _npy(archive.getinfo(images), file)
        image_axes(header.shape[1:])
        if header.shape[0] != len(found):
            raise DataError(f"{header.shape[0]} images and {len(found)} labels do not belong together")
        low, high = inf, -inf
        for piece in rows(content, header) if header.dtype != np.uint8 else ():
            low, high = np.fmin(low, piece.min()), np.maximum(high, piece.max())
    scale = 1.0 if header.dtype == np.uint8 else scale_of(float(low), float(high), header.dtype)
    return ArrayPair(split, images, header, found, scale)


def _npy(info: zipfile.ZipInfo, file: "object") -> tuple[Bounded, Header]:
    """Read an .npy header; what follows is the array. Raises DataError for objects, which would be a pickle."""
    content = Bounded(file, info.file_size)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(npy.read_magic(content))
    if read is None:
        raise DataError(f"{info.filename!r} is an .npy of an unknown version")
    shape, turned, dtype = read(content, max_header_size=_LONGEST_HEADER)
    if turned and len(shape) > 1:
        raise DataError(f"{info.filename!r} lies in Fortran's order: np.ascontiguousarray turns it")
    header = Header(dtype, shape)
    header.check(info.file_size - content.tell())
    return content, header


def _pieces(images: Iterator[Array], header: Header, labels: Array, scale: float) -> Pieces:
    if header.shape[0] != len(labels):
        raise DataError(f"{header.shape[0]} images and {len(labels)} labels do not belong together")
    cut, axes = image_axes(header.shape[1:])
    turn, start = (0, *(axis + 1 for axis in axes)), 0
    for piece in images:
        yield levels(piece.reshape(-1, *cut).transpose(turn), scale), labels[start : start + len(piece)]
        start += len(piece)


read_names = partial(re.findall, r"[^\r\n]*[^\r\n\s][^\r\n]*")
