"""Bringing an image to the size of the network's input: the three values of `data.fit`."""

from collections.abc import Callable

from PIL import Image

Size = tuple[int, int]  # (width, height), as Pillow has it
Colour = int | tuple[int, ...]

_FILTER = Image.Resampling.BILINEAR  # averages over all covered pixels when it shrinks


def stretch(image: Image.Image, size: Size, background: Colour) -> Image.Image:
    """Resize, whatever that does to the proportions."""
    return image.resize(size, _FILTER)


def crop(image: Image.Image, size: Size, background: Colour) -> Image.Image:
    """Keep the proportions and cut away what is too much, equally on both sides."""
    scale = min(image.width / size[0], image.height / size[1])
    width, height = size[0] * scale, size[1] * scale
    left, top = (image.width - width) / 2, (image.height - height) / 2
    return image.resize(size, _FILTER, box=(left, top, left + width, top + height))


def pad(image: Image.Image, size: Size, background: Colour) -> Image.Image:
    """Keep the proportions and fill up with the background, equally on both sides."""
    scale = min(size[0] / image.width, size[1] / image.height)
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    canvas = Image.new(image.mode, size, background)
    canvas.paste(image.resize((width, height), _FILTER), ((size[0] - width) // 2, (size[1] - height) // 2))
    return canvas


FITS: dict[str, Callable[[Image.Image, Size, Colour], Image.Image]] = {"stretch": stretch, "crop": crop, "pad": pad}
