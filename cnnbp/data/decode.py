"""One image file to one uint8 array. Whatever is wrong with a file comes out as a DataError with its path."""

import ctypes
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
    _imaging,
)

from cnnbp.data.convert import RGB, grey_level, to_eight_bits, upright
from cnnbp.data.fit import FITS
from cnnbp.errors import DataError

ANIMATED = "with several frames, of which the first is used"
RESIZED = "of another size, resized"

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
_DRAFT_MARGIN = 2  # a JPEG is decoded at no less than this many times the wanted size


@dataclass(frozen=True)
class ImageFormat:
    """What every image becomes: (channels, height, width), and how.

    `background` is a grey level or an RGB colour in 0…255; transparent pixels and the bars of `pad` show it.
    """

    channels: int
    height: int
    width: int
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    background: int | RGB = 255
    max_pixels: int = 25_000_000

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width

    @property
    def background_rgb(self) -> RGB:
        """The background as a colour."""
        level = self.background
        return (level, level, level) if isinstance(level, int) else level


class UnreadableImage(DataError):
    """A file that is there but cannot be decoded, or is not there any more."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot read {str(path)!r}: {reason}")
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image's pixels (C, H, W), and what had to be done to it that its owner may want to know."""

    pixels: NDArray[np.uint8]
    notes: frozenset[str]


def decode_image(path: Path, image_format: ImageFormat) -> NDArray[np.uint8]:
    """Return the image as uint8 (C, H, W). Raises DataError with the path and the reason."""
    with muted_pillow():
        return read_image(path, image_format).pixels


def read_image(path: Path, image_format: ImageFormat) -> Decoded:
    """Decode one file; on several threads at once, call this inside one `muted_pillow`.

    Raises UnreadableImage, a DataError with the path and the reason.
    """
    try:
        with path.open("rb") as file:
            if not file.peek(1):
                raise DataError("the file is empty")
            with Image.open(file, formats=_FORMATS) as image:
                return _convert(image, image_format)
    except UnidentifiedImageError as error:
        raise UnreadableImage(path, f"its content is not {', '.join(_FORMATS)}") from error
    except DataError as error:
        raise UnreadableImage(path, str(error)) from error
    except OSError as error:
        raise UnreadableImage(path, error.strerror or str(error)) from error
    except Exception as error:  # SyntaxError, struct.error, EOFError, OverflowError, … as the format has it
        raise UnreadableImage(path, f"{error} ({type(error).__name__})") from error


@contextmanager
def muted_pillow() -> Iterator[None]:
    """Silence Pillow's warnings: what matters of them is an error or a note here. Not to be entered by two threads."""
    with suppress(OSError, AttributeError):  # where the system's linker does not show it, libtiff stays chatty
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _convert(image: Image.Image, image_format: ImageFormat) -> Decoded:
    notes: set[str] = set()
    _check_size(image.size, image_format.max_pixels)
    _draft(image, image_format)
    image.load()  # once, and before EXIF is read: a second try after a failure can "succeed" with garbage
    eight_bits = to_eight_bits(image, image_format.background_rgb, notes.add)
    pixels = _fitted(upright(eight_bits, image, notes.add), image_format, notes.add)
    if _has_more_frames(image):
        notes.add(ANIMATED)
    return Decoded(pixels, frozenset(notes))


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise DataError(
            f"{size[0]}×{size[1]} is {size[0] * size[1] / 1e6:.1f} million pixels; "
            f"data.max_pixels allows {max_pixels / 1e6:g} million"
        )


def _draft(image: Image.Image, image_format: ImageFormat) -> None:
    """Let a JPEG that will shrink a lot be decoded at a half, a quarter or an eighth of its size."""
    side = _DRAFT_MARGIN * max(image_format.height, image_format.width)  # EXIF may swap the two
    image.draft(None, (side, side))  # does nothing to other formats


def _fitted(image: Image.Image, image_format: ImageFormat, note: Callable[[str], None]) -> NDArray[np.uint8]:
    """Bring an `L` or `RGB` image to (C, H, W)."""
    colour = image_format.background_rgb
    grey = image_format.channels == 1
    image = image.convert("L" if grey else "RGB")
    size = (image_format.width, image_format.height)
    if image.size != size:
        note(RESIZED)
        image = FITS[image_format.fit](image, size, grey_level(colour) if grey else colour)
    pixels = np.asarray(image).reshape(*size[::-1], image_format.channels)  # (H, W, C)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _has_more_frames(image: Image.Image) -> bool:
    """Tell an animation or a stack of pages. Asked last: looking for a broken second frame can raise anything."""
    with suppress(Exception):
        return bool(getattr(image, "is_animated", False)) and image.format != "MPO"  # MPO: a photo and its thumbnails
    return False
