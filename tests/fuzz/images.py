"""Damaged images of every format: they decode, or are a DataError."""

import io
import struct
from random import Random
from zlib import crc32

import numpy as np
from PIL import Image

from cnnbp.data.decode import ImageFormat, read_image
from cnnbp.data.inventory import portray
from cnnbp.data.opening import MAX_PIXELS
from tests.fuzz.mutation import mutated

_FORMAT = ImageFormat(3, 16, 16)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def seeds() -> list[bytes]:
    """Return sound files: every format in its modes and compressions, most of them some hundred bytes."""
    rgba = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 20, 4)).astype(np.uint8), "RGBA")
    large = rgba.resize((96, 64), Image.Resampling.BICUBIC)
    frames = {"save_all": True, "append_images": [rgba.rotate(180)]}
    exif = Image.Exif()
    exif[274], exif[270] = 6, "a description"
    sixteen = Image.fromarray(np.random.default_rng(1).integers(0, 65536, (12, 20)).astype(np.uint16))
    return [
        *(_saved(rgba.convert(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        *(_saved(rgba, "PNG", **options) for options in (frames, {"exif": exif}, {"dpi": (300, 300)})),
        *(_saved(large.convert(mode), "JPEG") for mode in ("L", "RGB", "CMYK")),
        *(_saved(large.convert("RGB"), "JPEG", **options) for options in ({"progressive": True}, {"exif": exif})),
        *(_saved(rgba.convert("RGB"), "GIF", **options) for options in ({}, frames, {"transparency": 0})),
        *(_saved(rgba.convert(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")),
        *(_saved(rgba, "WEBP", **options) for options in ({}, {"lossless": True}, frames, {"exif": exif})),
        *(_saved(rgba.convert(mode), "TIFF") for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB")),
        *(
            _saved(large.convert("RGB"), "TIFF", compression=f"tiff_{name}")
            for name in ("lzw", "jpeg", "adobe_deflate")
        ),
        *(_saved(large.convert("1"), "TIFF", compression=name) for name in ("group3", "group4", "packbits")),
        *(_saved(rgba, "TIFF", **options) for options in ({"big_tiff": True}, frames, {"exif": exif})),
        *(_saved(rgba.convert(mode), "PPM") for mode in ("1", "L", "RGB")),
        *(_saved(sixteen, name) for name in ("PNG", "TIFF", "PPM")),
        b"P1\n# text\n3 2\n1 0 1\n0 1 0\n",
        b"P2\n3 2\n15\n1 2 3\n4 5 15\n",
        b"P3\n2 1\n255\n1 2 3 4 5 6\n",
    ]


def damaged(files: list[bytes], rng: Random) -> bytes:
    """Damage a file; every other PNG gets its checksums put right, so that the damage reaches Pillow."""
    content = mutated(rng.choice(files), files, rng)
    return _with_checksums(content) if content.startswith(_SIGNATURE) and rng.random() < 0.7 else content


def run(path) -> None:
    """Decode as training does, twice to the same pixels, and as `cnnbp data` does."""
    first, second = (read_image(path, _FORMAT).pixels for _ in range(2))
    assert (first == second).all(), "pixels that are different each time"
    portray(path, MAX_PIXELS)


def _saved(image: Image.Image, image_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def _with_checksums(content: bytes) -> bytes:
    right, at = bytearray(content), len(_SIGNATURE)
    while at + 12 <= len(right):
        length = int.from_bytes(right[at : at + 4], "big")
        end = at + 8 + length
        right[end : end + 4] = struct.pack(">I", crc32(right[at + 4 : end]))[: len(right[end : end + 4])]
        at = end + 4
    return bytes(right)
