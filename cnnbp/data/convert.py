"""Pillow's many kinds of images to 8-bit grey or RGB, each by its meaning, with a note when that changed it."""

from collections.abc import Callable

import numpy as np
from PIL import ExifTags, Image

from cnnbp.errors import DataError

RGB = tuple[int, int, int]

ALPHA = "transparent, put on the background"
SIXTEEN_BIT = "16-bit grey, divided by 257"
BAD_EXIF = "with broken EXIF data, which was ignored"
ROTATED = "turned as their EXIF orientation says"

_BITS_PER_SAMPLE = 258  # the TIFF tag
_UPRIGHT: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(converted: Image.Image, source: Image.Image, note: Callable[[str], None]) -> Image.Image:
    """Turn a converted image as its loaded source's EXIF orientation says; broken EXIF data says nothing."""
    try:
        orientation = source.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow's EXIF parser has no error of its own
        note(BAD_EXIF)
        return converted
    if orientation not in _UPRIGHT:
        return converted
    note(ROTATED)
    return converted.transpose(_UPRIGHT[orientation])


def to_eight_bits(image: Image.Image, background: RGB, note: Callable[[str], None]) -> Image.Image:
    """Convert a loaded image of any mode to `L` or `RGB`. Raises DataError for pixels without a range of their own."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        note(SIXTEEN_BIT)
        return _sixteen_bit_grey(image, background)
    if image.mode in ("I", "F"):
        kind = "32-bit integer" if image.mode == "I" else "float"
        raise DataError(f"{kind} pixels have no range that says what is white; convert it to 8 or 16 bits")
    if image.has_transparency_data:
        note(ALPHA)
        return _on_background(image, background)
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def grey_level(colour: RGB) -> int:
    """Return the grey of a colour, as Pillow weighs it (ITU-R 601-2)."""
    return Image.new("RGB", (1, 1), colour).convert("L").tobytes()[0]


def _sixteen_bit_grey(image: Image.Image, background: RGB) -> Image.Image:
    """Scale by what white is: 65535, or less for a TIFF that says it has fewer bits."""
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))[0]
    pixels = np.asarray(image).astype(np.uint32)
    white = (1 << bits) - 1
    grey = ((pixels * 255 + white // 2) // white).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):  # PNG's tRNS names one grey value
        grey[pixels == transparent] = grey_level(background)
    return Image.fromarray(grey)


def _on_background(image: Image.Image, background: RGB) -> Image.Image:
    canvas = Image.new("RGBA", image.size, (*background, 255))
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")
