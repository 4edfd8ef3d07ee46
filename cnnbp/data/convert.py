"""Pillow's many kinds of images to 8-bit grey or RGB, each by its meaning, with a note when that changed it."""

from collections.abc import Callable

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageFile

from cnnbp.data.tiff import bits_per_sample, stored_orientation, stored_size, white_is_zero, widen_colour_map
from cnnbp.errors import DataError

RGB = tuple[int, int, int]

ALPHA = "transparent in places, put on the background"
SIXTEEN_BIT = "16-bit grey, divided by 257"
BAD_EXIF = "with broken EXIF data, which was ignored"
ROTATED = "turned as their EXIF orientation says"
FAINT = "that use less than a tenth of the range from black to white, as 12 bits in 16 and masks of 0 and 1 do"

_UPRIGHT: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_FAINT = 25.5  # levels


def upright(converted: Image.Image, source: Image.Image, note: Callable[[str], None]) -> Image.Image:
    """Turn a converted image as its loaded source's EXIF orientation says; broken EXIF data says nothing.

    A TIFF has been turned by Pillow, which then forgets that it was.
    """
    orientation = _orientation(source, note)
    if orientation is None:
        return converted
    note(ROTATED)
    return converted.transpose(_UPRIGHT[orientation])


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return (width, height) of an image that is not loaded yet, as `upright` would turn it."""
    width, height = stored_size(image)
    return (height, width) if _orientation(image, lambda _: None) in _SIDEWAYS else (width, height)


def _orientation(image: Image.Image, note: Callable[[str], None]) -> int | None:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow's EXIF parser has no error of its own
        note(BAD_EXIF)
        return None
    return orientation if orientation in _UPRIGHT else None


def prepare(image: ImageFile.ImageFile, note: Callable[[str], None]) -> None:
    """Set right what Pillow would load wrongly of an opened image, and note what it would do without a word."""
    match_transparent_level(image)
    widen_colour_map(image)
    if stored_orientation(image) in _UPRIGHT:
        note(ROTATED)


def match_transparent_level(image: ImageFile.ImageFile) -> None:
    """Bring the one transparent level of an opened PNG to the 8 bits that Pillow will bring its pixels to."""
    level = image.info.get("transparency")
    if level is None or image.format != "PNG" or not image.tile:
        return
    match image.tile[0].args:
        case "L;2":
            image.info["transparency"] = level * 85  # 3 becomes 255
        case "L;4":
            image.info["transparency"] = level * 17  # 15 becomes 255
        case "RGB;16B":
            image.info["transparency"] = tuple(part >> 8 for part in level)


def to_eight_bits(image: Image.Image, background: RGB | None, note: Callable[[str], None]) -> Image.Image:
    """Convert a loaded image of any mode to `L` or `RGB`; without a background, a transparent one to `LA` or `RGBA`.

    Raises DataError for pixels without a range of their own.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        note(SIXTEEN_BIT)
        return _sixteen_bit_grey(image, background)
    if image.mode in ("I", "F"):
        kind = "signed or 32-bit" if image.mode == "I" else "float"
        raise DataError(f"{kind} pixels have no range that says what is white; convert it to unsigned 8 or 16 bits")
    if image.has_transparency_data:
        transparent = in_mode("RGBA", image.convert("LA") if image.mode == "La" else image)  # La is LA, multiplied
        return transparent if background is None else _on_background(transparent, background, note)
    return in_mode("L" if image.mode in ("1", "L") else "RGB", image)


def is_faint(image: Image.Image) -> bool:
    """Tell whether an `L` or `RGB` image uses less than a tenth of the levels in each channel."""
    ranges = np.reshape(image.getextrema(), (-1, 2))  # lowest and highest of each channel
    return bool((ranges[:, 1] - ranges[:, 0] < _FAINT).all())


def in_mode(mode: str, image: Image.Image) -> Image.Image:
    """Convert an image that is in another mode; Pillow would copy the others too."""
    return image if image.mode == mode else image.convert(mode)


def grey_level(colour: RGB) -> int:
    """Return the grey of a colour, as Pillow weighs it (ITU-R 601-2)."""
    return Image.new("RGB", (1, 1), colour).convert("L").tobytes()[0]


def _sixteen_bit_grey(image: Image.Image, background: RGB | None) -> Image.Image:
    """Scale by what white is: 65535, or less for a TIFF that says it has fewer bits."""
    white = (1 << bits_per_sample(image)) - 1
    levels = np.minimum((np.arange(1 << 16) * 255 + white // 2) // white, 255).astype(np.uint8)
    if white_is_zero(image):
        levels = 255 - levels
    transparent = image.info.get("transparency")
    values = np.asarray(image)
    if isinstance(transparent, int):  # PNG's tRNS names one grey value
        if background is None:
            alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
            return Image.merge("LA", (Image.fromarray(levels[values]), alpha))
        levels[transparent] = grey_level(background)
    return Image.fromarray(levels[values])


def _on_background(image: Image.Image, background: RGB, note: Callable[[str], None]) -> Image.Image:
    alpha, flat = image.getchannel("A"), image.convert("RGB")
    if alpha.getextrema() != (255, 255):
        note(ALPHA)
        flat.paste(background, mask=ImageChops.invert(alpha))
    return flat
