"""What a TIFF's tags say that Pillow does not heed, and what a file is that it cannot decode."""

import ctypes
from contextlib import suppress
from typing import Any, BinaryIO

from PIL import Image, ImagePalette, TiffImagePlugin, _imaging
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from cnnbp.errors import DataError

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _STRIP_BYTES, _COLOUR_MAP = 273, 274, 277, 279, 320
_TILE_OFFSETS, _TILE_BYTES, _SAMPLE_FORMAT = 324, 325, 339

_SIGNED, _WHITE_IS_ZERO = 2, 0
_BIG_TIFF, _BIG_ENDIAN_BIG_TIFF = b"II+\0", b"MM\0+"  # whose header is twice as long
_LIBTIFF_FAILED = "decoder error -2"
_KINDS = {1: "unsigned", 2: "signed", 3: "float", 5: "complex signed", 6: "complex float"}
_COLOURS = {
    0: "grey, white is 0",
    1: "grey",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "CMYK",
    6: "YCbCr",
    8: "CIELAB",
    9: "ICC LAB",
    10: "ITU LAB",
    32803: "colour filter array",
    32844: "LogL",
    32845: "LogLuv",
}


def bits_per_sample(image: Image.Image) -> int:
    """Return how many bits an opened TIFF has for each number; 16 for another format."""
    return int(_tags(image).get(_BITS, (16,))[0])


def white_is_zero(image: Image.Image) -> bool:
    """Tell whether an opened TIFF has its levels the other way round. Pillow turns those of 8 bits and less itself."""
    return bool(_tags(image).get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def stored_orientation(image: Image.Image) -> int | None:
    """Return how an opened TIFF is to be turned, if Pillow will do that when it loads it."""
    return _tags(image).get(_ORIENTATION) if image.format == "TIFF" else None


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Return (width, height) as they are in the file; whether `size` is upright already depends on Pillow's release."""
    tags = _tags(image)
    return (tags[_WIDTH], tags[_HEIGHT]) if _WIDTH in tags and _HEIGHT in tags else image.size


def check_tiff(image: Image.Image) -> None:
    """Raise DataError for an opened TIFF whose signed numbers Pillow would read as unsigned ones."""
    if image.mode in ("L", "LA", "RGB") and _SIGNED in _tags(image).get(_SAMPLE_FORMAT, ()):
        raise DataError("signed pixels have no range that says what is white; convert it to unsigned 8 or 16 bits")


def widen_colour_map(image: Image.Image) -> None:
    """Take a colour map that ends at 255 for one of 8 bits, as libtiff does: by the standard it is one of 16."""
    colours = _tags(image).get(_COLOUR_MAP, ())
    if image.mode in ("P", "PA") and colours and max(colours) < 256:
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))


def describe_undecodable(file: BinaryIO, file_size: int) -> str | None:
    """Say what a sound TIFF is that Pillow did not open; None for a damaged one and for another file."""
    with suppress(Exception):  # Pillow's parser has no error of its own
        file.seek(0)
        head = file.read(16)
        if head[:4] == _BIG_ENDIAN_BIG_TIFF:
            return "a BigTIFF in Motorola's byte order, which Pillow cannot decode; save it as another TIFF"
        tags = ImageFileDirectory_v2(head if head[:4] == _BIG_TIFF else head[:8])
        file.seek(tags.next)
        tags.load(file)
        if _is_sound(tags, file_size):
            return f"a TIFF that Pillow cannot decode: {_described(tags)}; convert it to 8 or 16 bits"
    return None


def describe_undecoded(image: Image.Image, error: OSError) -> str | None:
    """Say what an opened TIFF is that libtiff did not decode; None for any other image and error."""
    if image.format != "TIFF" or str(error) != _LIBTIFF_FAILED:
        return None
    what = _described(_tags(image))
    if _has_codec(_tags(image).get(_COMPRESSION, 1)):
        return f"its pixel data is damaged, or of a kind that Pillow cannot decode: {what}"
    return f"a TIFF that this build of Pillow cannot decode: {what}; save it with another compression"


def _tags(image: Image.Image) -> Any:
    return getattr(image, "tag_v2", {})


def _is_sound(tags: ImageFileDirectory_v2, file_size: int) -> bool:
    """Tell whether there is an image, all of it within the file."""
    offsets = tags.get(_STRIP_OFFSETS) or tags.get(_TILE_OFFSETS) or ()
    sizes = tags.get(_STRIP_BYTES) or tags.get(_TILE_BYTES) or ()
    inside = all(offset + size <= file_size for offset, size in zip(offsets, sizes, strict=True))
    return bool(offsets) and inside and tags[_WIDTH] > 0 and tags[_HEIGHT] > 0


def _described(tags: Any) -> str:
    bits, formats = tags.get(_BITS, (1,)), tags.get(_SAMPLE_FORMAT, (1,))
    samples, photometric, compression = tags.get(_SAMPLES, 1), tags.get(_PHOTOMETRIC), tags.get(_COMPRESSION, 1)
    kinds = " and ".join(_KINDS.get(kind, f"format {kind}") for kind in dict.fromkeys(formats))
    return (
        f"{' and '.join(map(str, dict.fromkeys(bits)))} bits a sample ({kinds}), {samples} a pixel, "
        f"{_COLOURS.get(photometric, f'photometric {photometric}')}, "
        f"compression {TiffImagePlugin.COMPRESSION_INFO.get(compression, compression)}"
    )


def _has_codec(compression: int) -> bool:
    try:
        return bool(ctypes.CDLL(_imaging.__file__).TIFFIsCODECConfigured(ctypes.c_uint16(compression)))
    except (OSError, AttributeError):  # where the system's linker does not show it
        return True
