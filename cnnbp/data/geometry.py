"""Reading the images of a batch at other places: at whole pixels, or between them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (m, C, H, W)
Places = NDArray[Any]

_BLOCK = 1 << 15  # places looked up at a time: what is computed for them stays in the processor's cache


def blocks(pixels: Pixels) -> Iterator[slice]:
    """Yield slices of the images, each of a few thousand places or a single image."""
    _, _, height, width = pixels.shape
    count = max(1, _BLOCK // (height * width))
    return (slice(start, start + count) for start in range(0, len(pixels), count))


def read_pixels(pixels: Pixels, rows: Places, columns: Places) -> Pixels:
    """Pick the outer product of rows (m, H) and columns (m, W) from each image, all channels alike."""
    places = _flat_places(pixels, rows[:, :, None], columns[:, None])
    return np.stack([channel.take(places) for channel in _channels(pixels)], axis=1)


def read_between(pixels: Pixels, rows: NDArray[np.float32], columns: NDArray[np.float32]) -> Pixels:
    """Read each image at its own (m, H, W) places inside it, bilinearly, all channels alike."""
    height, width = pixels.shape[2:]
    top, left = (np.minimum(at.astype(np.int32), max(size - 2, 0)) for at, size in ((rows, height), (columns, width)))
    down, along = (rows - top.astype(np.float32)), (columns - left.astype(np.float32))
    corner = _flat_places(pixels, top, left)
    right, below = int(width > 1), width * (height > 1)
    read = np.empty((len(pixels), pixels.shape[1], *rows.shape[1:]), np.uint8)
    for number, channel in enumerate(_channels(pixels)):
        upper = _between(channel.take(corner), channel.take(corner + right), along)
        lower = _between(channel.take(corner + below), channel.take(corner + (below + right)), along)
        upper += (lower - upper) * down
        read[:, number] = np.rint(upper, out=upper)
    return read


def _channels(pixels: Pixels) -> Iterator[Pixels]:
    """Yield each channel as a view that begins at its first pixel and runs to the end of the batch."""
    flat, size = np.ascontiguousarray(pixels).reshape(-1), pixels.shape[2] * pixels.shape[3]
    return (flat[number * size :] for number in range(pixels.shape[1]))


def _flat_places(pixels: Pixels, rows: Places, columns: Places) -> NDArray[np.intp]:
    """Return where the places of each image are in such a view."""
    count, channels, height, width = pixels.shape
    first = np.arange(count)[:, None, None] * (channels * height * width)
    return first + rows * width + columns


def _between(first: Pixels, second: Pixels, share: NDArray[np.float32]) -> NDArray[np.float32]:
    return first + (second.astype(np.float32) - first) * share
