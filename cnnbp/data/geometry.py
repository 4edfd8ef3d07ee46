"""Reading the images of a batch at other places: at whole pixels, or between them."""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cnnbp.arrays import Arena

Pixels = NDArray[np.uint8]  # (m, C, H, W)
Places = NDArray[np.float32]  # (m, H, W)

_BLOCK = 1 << 14  # places looked up at a time: what is computed for them stays in the processor's cache


def blocks(pixels: Pixels) -> Iterator[slice]:
    """Yield slices of the images, each of a few thousand places or a single image."""
    _, _, height, width = pixels.shape
    count = max(1, _BLOCK // (height * width))
    return (slice(start, start + count) for start in range(0, len(pixels), count))


def cut(pixels: Pixels, top: NDArray[np.intp], left: NDArray[np.intp], size: tuple[int, int]) -> Pixels:
    """Cut a piece of `size` (height, width) out of each image, at its own corner (m,)."""
    pieces = sliding_window_view(pixels, size, axis=(2, 3))  # (m, C, corners, corners, height, width)
    return pieces[np.arange(len(pixels)), :, top, left]


def read_between(pixels: Pixels, rows: Places, columns: Places, arena: Arena) -> Pixels:
    """Read each image at its own places inside it, bilinearly, all channels alike; overwrites the places."""
    count, channels, height, width = pixels.shape
    top, left = _taken_apart(rows, arena), _taken_apart(columns, arena)
    down, along = rows, columns  # what is left of them
    top *= width
    top += left
    corner = arena.empty(rows.shape, np.intp)  # in the flat pixels, of the first channel
    np.add(top, np.arange(count)[:, None, None] * (channels * height * width), out=corner)
    flat = arena.empty((pixels.size + width + 1,), np.float32)
    flat[: pixels.size] = pixels.reshape(-1)
    flat[pixels.size :] = 0  # a place on the last row or column weighs what is behind it with 0
    neighbours = [(offset, arena.empty(rows.shape, np.float32)) for offset in (0, 1, width, width + 1)]
    read = np.empty((count, channels, *rows.shape[1:]), np.uint8)
    for channel in range(channels):
        first = channel * height * width
        a, b, c, d = (
            flat[first + offset :].take(corner, out=levels, mode="wrap")  # the mode that needs no buffer
            for offset, levels in neighbours
        )
        level = _between(_between(a, b, along), _between(c, d, along), down)
        read[:, channel] = np.rint(level, out=level)
    return read


def _taken_apart(places: Places, arena: Arena) -> NDArray[np.int32]:
    """Return the last pixel at or before each place, and leave in the place how far it is from there."""
    whole = arena.empty(places.shape, np.int32)
    whole[...] = places
    np.subtract(places, whole, out=places, dtype=np.float32, casting="unsafe")
    return whole


def _between(first: Places, second: Places, share: Places) -> Places:
    """Return first + (second - first)·share, in the memory of the second."""
    second -= first
    second *= share
    second += first
    return second
