"""A PNG decoder from the specification alone (https://www.w3.org/TR/png-3/), to hold Pillow's pixels against."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tests.data.png import ADAM7, CHANNELS, COLOUR, GREY, GREY_ALPHA, PALETTE

Samples = NDArray[np.uint8] | NDArray[np.uint16]


def chunks_of(content: bytes) -> dict[bytes, bytes]:
    """Return the contents of the chunks by kind, those of one kind in one piece."""
    found: dict[bytes, bytes] = {}
    at = 8
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        found[kind] = found.get(kind, b"") + content[at + 8 : at + 8 + length]
        at += length + 12
    return found


def picture(content: bytes) -> NDArray[np.float64]:
    """Return the picture's colours (H, W, 3) in 0…255, not rounded, with what is transparent laid on white."""
    chunks = chunks_of(content)
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    channels = CHANNELS[colour_type]
    samples = np.zeros((height, width, channels), np.uint16)
    data = zlib.decompress(chunks[b"IDAT"])
    for y, x, dy, dx in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[y::dy, x::dx]
        if part.size:
            bits = part.shape[1] * channels * depth
            rows = _unfiltered(data, part.shape[0], -(-bits // 8), max(channels * depth // 8, 1))
            part[...] = [_unpacked(row, depth)[: part.shape[1] * channels].reshape(-1, channels) for row in rows]
            data = data[part.shape[0] * (1 + -(-bits // 8)) :]
    colour, alpha = _meaning(samples, depth, colour_type, chunks)
    return 255 * (colour * alpha + 1 - alpha)


def _meaning(
    samples: Samples, depth: int, colour_type: int, chunks: dict[bytes, bytes]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return colour (H, W, 3) and opacity (H, W, 1) in 0…1."""
    transparent = chunks.get(b"tRNS")
    levels = samples / ((1 << depth) - 1)
    if colour_type == PALETTE:
        palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3) / 255
        opacity = np.ones(len(palette))
        opacity[: len(transparent or b"")] = np.frombuffer(transparent or b"", np.uint8) / 255
        return palette[samples[..., 0]], opacity[samples]
    if colour_type in (GREY, COLOUR):
        key = np.frombuffer(transparent, ">u2") if transparent else np.full(samples.shape[-1], -1)
        alpha = (samples != key).any(axis=-1, keepdims=True).astype(float)
        return np.broadcast_to(levels, (*levels.shape[:2], 3)), alpha
    colour = np.repeat(levels[..., :1], 3, axis=-1) if colour_type == GREY_ALPHA else levels[..., :3]
    return colour, levels[..., -1:]


def _unfiltered(data: bytes, height: int, stride: int, back: int) -> Iterator[NDArray[np.uint8]]:
    """Yield rows of bytes; `back` is how far the pixel on the left is."""
    above = bytes(stride)
    for row in range(height):
        kind, *line = data[row * (stride + 1) : (row + 1) * (stride + 1)]
        for i in range(stride):
            a, b, c = (line[i - back], above[i], above[i - back]) if i >= back else (0, above[i], 0)
            line[i] = (line[i] + (0, a, b, (a + b) // 2, _paeth(a, b, c))[kind]) % 256
        above = bytes(line)
        yield np.frombuffer(above, np.uint8)


def _paeth(a: int, b: int, c: int) -> int:
    return min((a, b, c), key=lambda level: abs(a + b - c - level))


def _unpacked(row: NDArray[np.uint8], depth: int) -> Samples:
    if depth == 16:
        return row.view(">u2")
    bits = np.unpackbits(row).reshape(-1, depth)
    return bits @ (1 << np.arange(depth)[::-1])
