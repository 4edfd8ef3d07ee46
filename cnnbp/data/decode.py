"""One image file to one uint8 array."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from cnnbp.data.convert import FAINT, RGB, grey_level, in_mode, is_faint, prepare, to_eight_bits, upright
from cnnbp.data.fit import FITS, Colour
from cnnbp.data.opening import MAX_PIXELS, opened_image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's, by the number of channels
ANIMATED = "with several frames, of which the first is used"
RESIZED = "of another size, resized"

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
    max_pixels: int = MAX_PIXELS

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width

    @property
    def behind_transparency(self) -> RGB | None:
        """What transparent pixels are put on; None where they stay transparent, as a fourth channel."""
        return None if self.channels == 4 else self.background_rgb

    @property
    def background_rgb(self) -> RGB:
        """The background as a colour."""
        level = self.background
        return (level, level, level) if isinstance(level, int) else level


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image's pixels (C, H, W), and what had to be done to it that its owner may want to know."""

    pixels: NDArray[np.uint8]
    notes: frozenset[str]


def read_image(path: Path, image_format: ImageFormat) -> Decoded:
    """Decode one file; where several are decoded at once, call this inside one `muted_pillow`.

    Raises UnreadableImage, a DataError with the path and the reason.
    """
    notes: set[str] = set()
    with opened_image(path, image_format.max_pixels) as image:
        _draft(image, image_format)
        eight_bits = decoded_image(image, image_format.behind_transparency, notes.add)
        pixels = _fitted(eight_bits, image_format, notes.add)
    return Decoded(pixels, frozenset(notes))


def decoded_image(image: ImageFile.ImageFile, background: RGB | None, note: Callable[[str], None]) -> Image.Image:
    """Decode an opened image to 8-bit grey or RGB, upright; raises whatever Pillow raises.

    Transparent pixels are put on the background; without one they stay, and grey is LA, RGB is RGBA.
    """
    prepare(image, note)
    image.load()  # once, and before EXIF is read: a second try after a failure can "succeed" with garbage
    eight_bits = upright(to_eight_bits(image, background, note), image, note)
    if image.format != "JPEG" and is_faint(eight_bits):  # a photograph has more, and takes long to look at
        note(FAINT)
    if _has_more_frames(image):
        note(ANIMATED)
    return eight_bits


def _draft(image: ImageFile.ImageFile, image_format: ImageFormat) -> None:
    """Let a JPEG that will shrink a lot be decoded at a half, a quarter or an eighth of its size."""
    side = _DRAFT_MARGIN * max(image_format.height, image_format.width)  # EXIF may swap the two
    image.draft(None, (side, side))  # does nothing to other formats


def _fitted(image: Image.Image, image_format: ImageFormat, note: Callable[[str], None]) -> NDArray[np.uint8]:
    """Bring an 8-bit image to (C, H, W)."""
    mode, colour = MODES[image_format.channels], image_format.background_rgb
    backgrounds: dict[str, Colour] = {"L": grey_level(colour), "RGB": colour, "RGBA": (*colour, 255)}
    image = in_mode(mode, image)
    size = (image_format.width, image_format.height)
    if image.size != size:
        note(RESIZED)
        image = FITS[image_format.fit](image, size, backgrounds[mode])
    pixels = np.asarray(image).reshape(*size[::-1], image_format.channels)  # (H, W, C)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _has_more_frames(image: Image.Image) -> bool:
    """Tell an animation or a stack of pages. Asked last: looking for a broken second frame can raise anything."""
    with suppress(Exception):
        return bool(getattr(image, "is_animated", False)) and image.format != "MPO"  # MPO: a photo and its thumbnails
    return False
