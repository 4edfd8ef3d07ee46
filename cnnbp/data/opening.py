"""Opening an image file: the wall around Pillow. Whatever is wrong with a file comes out as an UnreadableImage."""

import ctypes
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
    _imaging,
)

from cnnbp.data.damage import check_jpeg, check_png
from cnnbp.data.tiff import check_tiff, describe_undecodable, describe_undecoded
from cnnbp.engine.machine import warnings_filtered
from cnnbp.errors import DataError
from cnnbp.files import opened

# Only these are tried, whatever a file is called: an EPS named .png would start Ghostscript.
_FORMATS = tuple(
    plugin.format
    for plugin in (
        PngImagePlugin.PngImageFile,
        JpegImagePlugin.JpegImageFile,
        BmpImagePlugin.BmpImageFile,
        GifImagePlugin.GifImageFile,
        WebPImagePlugin.WebPImageFile,
        TiffImagePlugin.TiffImageFile,
        PpmImagePlugin.PpmImageFile,
    )
    if plugin.format
)
MAX_PIXELS = 25_000_000  # unless data.max_pixels says otherwise

_LONGEST_SIDE = 1_000_000  # pixels: Pillow keeps a pointer for each row, and weights for each place when it resizes
_LARGEST_FILE = 256 << 20  # bytes: Pillow reads a WebP whole, and a JPEG's junk byte by byte, before it knows the size
_BYTES_PER_PIXEL = 8  # a file may be larger if this many for each of max_pixels say so: raw 16-bit RGBA

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else what it logs of a bad file goes to stderr

# Pillow would give the memory of each image back and take it anew, page by page, which costs a photograph a seventh of
# its time. It may keep this many blocks of at most 16 MiB.
_imaging.set_blocks_max(4)

_PLAINLY = {
    "cannot load this image": "it has no pixel data",
}


class UnreadableImage(DataError):
    """A file that is there but cannot be decoded, or is not there any more."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot read {str(path)!r}: {reason}")
        self.reason = reason


@contextmanager
def opened_image(path: Path, max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    """Open an image of known format, bearable size and no known trap, not yet decoded.

    Whatever goes wrong, in the block as well, comes out as an UnreadableImage.
    """
    try:
        with opened(path) as file:
            file_size = _check_file(file, max_pixels)
            with _identified(file, file_size) as image:
                _check_size(image.size, max_pixels)
                _check_contents(image, file, file_size)
                yield image
    except Exception as error:  # SyntaxError, struct.error, EOFError, OverflowError, … as the format has it
        raise UnreadableImage(path, _reason(error)) from error


@contextmanager
def muted_pillow() -> Iterator[None]:
    """Silence Pillow's warnings: what matters of them is an error or a note here."""
    with suppress(OSError, AttributeError):  # where the system's linker does not show it, libtiff stays chatty
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)
    with warnings_filtered("ignore", Warning, module=r"PIL\."):
        yield


@contextmanager
def _identified(file: BinaryIO, file_size: int) -> Iterator[ImageFile.ImageFile]:
    """Give the file as Pillow sees it. Raises DataError for a sound TIFF that Pillow cannot decode."""
    try:
        image = Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError as error:
        if what := describe_undecodable(file, file_size):
            raise DataError(what) from error
        raise
    with image:
        try:
            yield image
        except OSError as error:
            if what := describe_undecoded(image, error):
                raise DataError(what) from error
            raise


def _check_file(file: BinaryIO, max_pixels: int) -> int:
    """Return the file's size."""
    size = os.fstat(file.fileno()).st_size
    if not size:
        raise DataError("the file is empty")
    if size > (largest := max(_LARGEST_FILE, _BYTES_PER_PIXEL * max_pixels)):
        allowed = f"data.max_pixels allows {largest / 1e6:.0f}"
        raise DataError(f"{size / 1e6:.0f} MB are too much for an image file; {allowed}")
    return size


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise DataError(
            f"{size[0]}×{size[1]} is {size[0] * size[1] / 1e6:.1f} million pixels; "
            f"data.max_pixels allows {max_pixels / 1e6:g} million"
        )
    if max(size) > _LONGEST_SIDE:
        raise DataError(f"{size[0]}×{size[1]} has a side of more than {_LONGEST_SIDE / 1e6:g} million pixels")


def _check_contents(image: Image.Image, file: BinaryIO, file_size: int) -> None:
    """Look for what Pillow would decode to wrong pixels, or for hours; leaves the file where Pillow had it."""
    position = file.tell()
    if image.format == "PNG":
        check_png(file)
    elif image.format in ("JPEG", "MPO"):
        check_jpeg(file, file_size, image.width * image.height)
    elif image.format == "TIFF":
        check_tiff(image)
    file.seek(position)


def _reason(error: Exception) -> str:
    match error:
        case UnidentifiedImageError():
            return f"its content is not {', '.join(_FORMATS)}, or its header is damaged"
        case DataError():
            return str(error)
        case OSError():
            return error.strerror or _PLAINLY.get(str(error), str(error))
        case MemoryError():
            return "there is not enough memory to decode it"
        case Image.DecompressionBombError():
            return "its header claims more pixels than Pillow would ever decode"
        case _:
            return f"{error} ({type(error).__name__})"
