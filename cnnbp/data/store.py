"""The decoded images of a split: in memory as far as the cache goes, decoded again from there on."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnbp.arrays import Array
from cnnbp.data.decode import ImageFormat, read_image
from cnnbp.data.duplicates import Digests, digest
from cnnbp.data.folder import Files, Split
from cnnbp.data.opening import UnreadableImage, muted_pillow
from cnnbp.data.parallel import in_chunks
from cnnbp.engine.fork import CAN_FORK, shared_zeros
from cnnbp.engine.ranks import ALONE, Ranks, gather_texts, run_of, runs
from cnnbp.errors import DataError

DEFAULT_CACHE = 1 << 30  # bytes


@dataclass(frozen=True)
class BadImage:
    """A file that could not be decoded."""

    name: str
    reason: str


def describe_bad_images(bad: Sequence[BadImage], total: int) -> str:
    """Return how many of `total` images cannot be read, which, and why."""
    lines = "\n".join(f"  {image.name!r}: {image.reason}" for image in bad)
    return f"{len(bad)} of {total} images cannot be read (--skip-bad goes on without them):\n{lines}"


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images and their classes. The first K of them have a place in `pixels`, the others are read from their files.

    `held` says which of the K are there: one that only another rank has needed so far is read when it is needed here.
    """

    image_format: ImageFormat
    pixels: Array  # (K, C, H, W) uint8; floats where they were given as such
    labels: NDArray[np.intp]  # (N,)
    names: tuple[str, ...]
    files: Sequence[Path]
    digests: Digests  # (N,) of the decoded pixels
    bad: tuple[BadImage, ...] = ()  # left out of the N
    notes: Mapping[str, int] = field(default_factory=dict)  # what decoding had to do, and to how many images
    held: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))  # (K,)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def in_memory(self) -> bool:
        """Whether no file will be read again."""
        return len(self.pixels) == len(self) and bool(self.held.all())

    @property
    def memory(self) -> int:
        """The bytes that pixels are kept in; images that turned out bad have left some of them unused."""
        return self.pixels.nbytes if self.pixels.base is None else self.pixels.base.nbytes

    def take(self, indices: NDArray[np.intp]) -> Array:
        """Return the images at `indices` as (m, C, H, W). Raises DataError for a file that changed or vanished."""
        if self.in_memory:
            return self.pixels[indices]
        taken = np.empty((len(indices), *self.image_format.shape), np.uint8)
        held = indices < len(self.pixels)
        held[held] = self.held[indices[held]]
        taken[held] = self.pixels[indices[held]]
        for place in np.flatnonzero(~held):
            taken[place] = self._read(int(indices[place]))
        return taken

    def _read(self, index: int) -> NDArray[np.uint8]:
        """Read one image from its file, and keep it where it has a place; two threads may do so at once."""
        pixels = read_image(self.files[index], self.image_format).pixels
        if digest(pixels) != self.digests[index]:
            raise DataError(f"{str(self.files[index])!r} changed since it was first read")
        if index < len(self.pixels):
            self.pixels[index] = pixels
            self.held[index] = True
        return pixels


def decode_split(
    split: Split,
    image_format: ImageFormat,
    *,
    skip_bad: bool = False,
    progress: Callable[[int], None] | None = None,
    threads: int = 1,
    cache_bytes: int = DEFAULT_CACHE,
    ranks: Ranks = ALONE,
) -> ImageSet:
    """Decode every image of a split on `threads` cores; `progress` is told how many are done.

    Each rank decodes its run of the files, and all know of all. Raises DataError that lists all bad files and their
    reasons; with `skip_bad` they are left out and in `bad`.
    """
    decoding, mine = _Decoding(split, image_format, cache_bytes), run_of(len(split.files), ranks)

    def look(chunk: range) -> _Finding:
        return decoding.look(mine[chunk.start : chunk.stop])

    with muted_pillow(), closing(in_chunks(look, len(mine), threads, processes=CAN_FORK and ranks is ALONE)) as chunks:
        done = 0
        for chunk, finding in chunks:
            decoding.keep(mine[chunk.start : chunk.stop], finding)
            done += len(chunk)
            if progress:
                progress(min(done * ranks.size, len(split.files)))  # as if the others were as far
    decoding.gather(ranks)
    if decoding.bad and not skip_bad:
        raise DataError(describe_bad_images(decoding.bad_images(), len(split.files)))
    return decoding.result()


@dataclass(frozen=True)
class _Finding:
    """What decoding some files has found, besides their pixels: 0 is the digest of a bad one."""

    digests: Digests
    reasons: dict[int, str]
    notes: list[str]


class _Decoding:
    """What is known of a split's images. Several processes may fill in the pixels, each at its own places."""

    def __init__(self, split: Split, image_format: ImageFormat, cache_bytes: int) -> None:
        self.split = split
        self.image_format = image_format
        cached = min(len(split.files), cache_bytes // prod(image_format.shape))
        self.pixels = shared_zeros((cached, *image_format.shape))
        self.digests = np.zeros(len(split.files), np.uint64)
        self.held = np.zeros(cached, np.bool_)
        self.bad: dict[int, str] = {}  # the reasons
        self.notes: list[str] = []

    def look(self, chunk: range) -> _Finding:
        """Decode some files."""
        finding = _Finding(np.zeros(len(chunk), np.uint64), {}, [])
        for place, index in enumerate(chunk):
            try:
                decoded = read_image(self.split.files[index], self.image_format)
            except UnreadableImage as error:
                finding.reasons[index] = error.reason
                continue
            finding.notes.extend(decoded.notes)
            finding.digests[place] = digest(decoded.pixels)
            if index < len(self.pixels):
                self.pixels[index] = decoded.pixels
        return finding

    def keep(self, chunk: range, finding: _Finding) -> None:
        """Remember what was found."""
        self.digests[chunk.start : chunk.stop] = finding.digests
        self.bad |= finding.reasons
        self.notes += finding.notes
        cached = range(chunk.start, min(chunk.stop, len(self.held)))
        self.held[cached.start : cached.stop] = [index not in finding.reasons for index in cached]

    def gather(self, ranks: Ranks) -> None:
        """Put together what all ranks have found out; the pixels stay where they are."""
        if ranks.size == 1:
            return
        shares = runs(len(self.digests), ranks.size)
        mine = shares[ranks.rank]
        self.digests = ranks.gather(self.digests[mine.start : mine.stop], [len(share) for share in shares])
        told = gather_texts(json.dumps([list(self.bad.items()), Counter(self.notes)]), ranks)
        bad, notes = zip(*map(json.loads, told), strict=True)
        self.bad = dict(chain.from_iterable(bad))
        self.notes = list(chain.from_iterable(Counter(counts).elements() for counts in notes))

    def bad_images(self) -> tuple[BadImage, ...]:
        """Return the files that could not be decoded, in the order of the split."""
        return tuple(BadImage(self.split.names[index], self.bad[index]) for index in sorted(self.bad))

    def result(self) -> ImageSet:
        """Return the images that could be decoded."""
        split = self.split
        good = np.delete(np.arange(len(split.files)), list(self.bad))
        cached = good[good < len(self.pixels)]
        names = tuple(split.names[index] for index in good) if self.bad else split.names
        return ImageSet(
            self.image_format,
            self._without_gaps(cached),
            split.labels[good],
            names,
            Files(split.root, names),
            self.digests[good],
            self.bad_images(),
            dict(sorted(Counter(self.notes).items())),
            self.held[cached],
        )

    def _without_gaps(self, good: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Move the images at `good` up, in place: a copy would take as much memory again."""
        for place, index in enumerate(good if self.bad else ()):
            if self.held[index]:
                self.pixels[place] = self.pixels[index]
        return self.pixels[: len(good)]
