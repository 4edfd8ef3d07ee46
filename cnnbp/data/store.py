"""The decoded images of a split: in memory as far as the cache goes, decoded again from there on."""

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from math import prod
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from cnnbp.data.decode import ImageFormat, UnreadableImage, muted_pillow, read_image
from cnnbp.data.folder import Split
from cnnbp.errors import DataError

DEFAULT_CACHE = 1 << 30  # bytes

_CHUNK = 32  # files per task: what a thread does between two steps of the progress bar
_SLOW = 0.5e-3  # seconds: an image whose decoding takes longer is worth a thread


@dataclass(frozen=True)
class BadImage:
    """A file that could not be decoded."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images and their classes. The first K of them are in `pixels`, the others are read from their files."""

    image_format: ImageFormat
    pixels: NDArray[np.uint8]  # (K, C, H, W)
    labels: NDArray[np.intp]  # (N,)
    names: tuple[str, ...]
    files: tuple[Path, ...]
    digests: NDArray[np.uint64]  # (N,) of the decoded pixels
    bad: tuple[BadImage, ...] = ()  # left out of the N
    notes: Mapping[str, int] = field(default_factory=dict)  # what decoding had to do, and to how many images

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def in_memory(self) -> bool:
        """Whether no file will be read again."""
        return len(self.pixels) == len(self)

    def take(self, indices: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return the images at `indices` as (m, C, H, W). Raises DataError for a file that changed or vanished."""
        if self.in_memory:
            return self.pixels[indices]
        taken = np.empty((len(indices), *self.image_format.shape), np.uint8)
        for place, index in enumerate(indices):
            taken[place] = self.pixels[index] if index < len(self.pixels) else self._reread(int(index))
        return taken

    def _reread(self, index: int) -> NDArray[np.uint8]:
        pixels = read_image(self.files[index], self.image_format).pixels
        if _digest(pixels) != self.digests[index]:
            raise DataError(f"{str(self.files[index])!r} changed since it was first read")
        return pixels


def decode_split(
    split: Split,
    image_format: ImageFormat,
    *,
    skip_bad: bool = False,
    progress: Callable[[int], None] | None = None,
    threads: int = 1,
    cache_bytes: int = DEFAULT_CACHE,
) -> ImageSet:
    """Decode every image of a split on `threads` threads; `progress` is told, on the calling one, how many are done.

    Raises DataError that lists all bad files and their reasons; with `skip_bad` they are left out and in `bad`.
    """
    decoding = _Decoding(split, image_format, cache_bytes)
    with muted_pillow(), closing(_chunk_by_chunk(decoding.run, len(split.files), threads)) as chunks:
        for done in chunks:
            if progress:
                progress(done)
    if decoding.bad and not skip_bad:
        raise DataError(_bad_files(decoding.bad_images(), len(split.files)))
    return decoding.result()


def _chunk_by_chunk(run: Callable[[int], None], total: int, threads: int) -> Generator[int, None, None]:
    """Call `run` with the start of each chunk and yield how many files are done.

    Threads join in where the first chunk was slow: small images are mostly Python, which threads only hold up.
    """
    starts = range(0, total, _CHUNK)
    if not starts:
        return
    clock = perf_counter()
    run(0)
    worth_a_thread = perf_counter() - clock > _SLOW * _CHUNK
    yield min(_CHUNK, total)
    with ThreadPoolExecutor(threads) as pool:
        try:
            for start, _ in zip(starts[1:], (pool.map if worth_a_thread else map)(run, starts[1:]), strict=True):
                yield min(start + _CHUNK, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


class _Decoding:
    """Arrays that several threads fill, each at places of its own."""

    def __init__(self, split: Split, image_format: ImageFormat, cache_bytes: int) -> None:
        self.split = split
        self.image_format = image_format
        cached = min(len(split.files), cache_bytes // prod(image_format.shape))
        self.pixels = np.empty((cached, *image_format.shape), np.uint8)
        self.digests = np.zeros(len(split.files), np.uint64)
        self.bad: dict[int, BadImage] = {}
        self.notes: list[str] = []

    def run(self, start: int) -> None:
        """Decode one chunk of files."""
        for index in range(start, min(start + _CHUNK, len(self.split.files))):
            try:
                decoded = read_image(self.split.files[index], self.image_format)
            except UnreadableImage as error:
                self.bad[index] = BadImage(self.split.names[index], error.reason)
                continue
            self.notes.extend(decoded.notes)
            self.digests[index] = _digest(decoded.pixels)
            if index < len(self.pixels):
                self.pixels[index] = decoded.pixels

    def bad_images(self) -> tuple[BadImage, ...]:
        """Return the files that could not be decoded, in the order of the split."""
        return tuple(self.bad[index] for index in sorted(self.bad))

    def result(self) -> ImageSet:
        """Return the images that could be decoded."""
        split = self.split
        good = np.array([index for index in range(len(split.files)) if index not in self.bad], np.intp)
        return ImageSet(
            self.image_format,
            self.pixels[good[good < len(self.pixels)]] if self.bad else self.pixels,
            split.labels[good],
            tuple(split.names[index] for index in good),
            tuple(split.files[index] for index in good),
            self.digests[good],
            self.bad_images(),
            dict(sorted(Counter(self.notes).items())),
        )


def _digest(pixels: NDArray[np.uint8]) -> np.uint64:
    return np.frombuffer(blake2b(pixels.tobytes(), digest_size=8).digest(), np.uint64)[0]


def _bad_files(bad: tuple[BadImage, ...], total: int) -> str:
    lines = "\n".join(f"  {image.name!r}: {image.reason}" for image in bad)
    return f"{len(bad)} of {total} images cannot be read (--skip-bad goes on without them):\n{lines}"
