"""Augmentations: small random changes to training images, drawn for each image and epoch whatever batch it is in.

Each is a frozen model of its options with one `apply` over a batch. In YAML its first option may stand for it:
`{shift: 1}` is `{shift: {pixels: 1}}`.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, PositiveInt, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from cnnbp.arrays import Arena
from cnnbp.data.geometry import Pixels, blocks, cut, read_between
from cnnbp.data.split import Indices
from cnnbp.data.streams import image_uniforms

Uniforms = NDArray[np.float64]  # (m, draws) in [0, 1)


class Augmentation(BaseModel):
    """What all augmentations share; `draws` is how many random numbers an image needs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)
    draws: ClassVar[int] = 1

    @model_validator(mode="before")
    @classmethod
    def _first_option_alone(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {next(iter(cls.model_fields)): value}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe both spellings to an editor."""
        options = handler(schema)
        [first, *_] = handler.resolve_ref_schema(options)["properties"].values()
        return {"anyOf": [first, options]}

    @abstractmethod
    def apply(self, pixels: Pixels, uniforms: Uniforms, arena: Arena) -> Pixels:
        """Return the changed images, in memory of their own; `pixels` stay as they are. The arena helps on the way."""


class Flip(Augmentation):
    """Mirror left to right (horizontal) or top to bottom (vertical), every other image."""

    axis: Literal["horizontal", "vertical"]

    def apply(self, pixels: Pixels, uniforms: Uniforms, arena: Arena) -> Pixels:
        """Flip where the draw is below one half."""
        chosen = np.flatnonzero(uniforms[:, 0] < 0.5)
        flipped = pixels.copy()
        flipped[chosen] = pixels[chosen, :, :, ::-1] if self.axis == "horizontal" else pixels[chosen, :, ::-1]
        return flipped


class Shift(Augmentation):
    """Move by up to `pixels` in each direction; what comes into view repeats the edge."""

    pixels: PositiveInt
    draws: ClassVar[int] = 2

    def apply(self, pixels: Pixels, uniforms: Uniforms, arena: Arena) -> Pixels:
        """Move down by the first draw and right by the second."""
        size = pixels.shape[2:]
        most = min(self.pixels, max(size))  # nothing changes beyond
        down, right = _integers(uniforms, -self.pixels, self.pixels).clip(-most, most).T
        padded = np.pad(pixels, ((0, 0), (0, 0), (most, most), (most, most)), mode="edge")
        return cut(padded, most - down, most - right, size)


class Crop(Augmentation):
    """Add a black border of `pad` pixels and cut the old size out of it, somewhere."""

    pad: PositiveInt
    draws: ClassVar[int] = 2

    def apply(self, pixels: Pixels, uniforms: Uniforms, arena: Arena) -> Pixels:
        """Cut at the corner that the draws name, counted from the image's."""
        size = pixels.shape[2:]
        most = min(self.pad, max(size))  # all is black beyond
        top, left = _integers(uniforms, -self.pad, self.pad).clip(-most, most).T
        padded = np.zeros((*pixels.shape[:2], size[0] + 2 * most, size[1] + 2 * most), np.uint8)
        padded[:, :, most:-most, most:-most] = pixels
        return cut(padded, most + top, most + left, size)


class Rotate(Augmentation):
    """Turn about the centre by up to `degrees` either way, bilinearly; what comes into view repeats the edge."""

    degrees: float = Field(gt=0, le=180)

    def apply(self, pixels: Pixels, uniforms: Uniforms, arena: Arena) -> Pixels:
        """Look each output pixel up where it was before the turn."""
        angles = np.deg2rad((2 * uniforms[:, :, None] - 1) * self.degrees)  # (m, 1, 1)
        turned = np.empty_like(pixels)
        for block in blocks(pixels):
            with arena.scratch():
                turned[block] = _turned(pixels[block], angles[block], arena)
        return turned


class Brightness(Augmentation):
    """Multiply by a factor between 1 − `fraction` and 1 + `fraction`; levels beyond 255 are white."""

    fraction: float = Field(gt=0, le=1)

    def apply(self, pixels: Pixels, uniforms: Uniforms, arena: Arena) -> Pixels:
        """Scale all channels of an image alike."""
        factor = 1 + self.fraction * (2 * uniforms[:, :, None, None] - 1)
        with arena.scratch():
            levels = arena.empty(pixels.shape, np.float32)
            np.multiply(pixels, factor.astype(np.float32), out=levels)
            return np.minimum(np.rint(levels, out=levels), 255, out=levels).astype(np.uint8)


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "flip": Flip,
    "shift": Shift,
    "rotate": Rotate,
    "crop": Crop,
    "brightness": Brightness,
}


def augment(
    pixels: Pixels, steps: Sequence[Augmentation], arena: Arena, *, seed: int, epoch: int, indices: Indices
) -> Pixels:
    """Apply `steps` in turn to (m, C, H, W) images; `indices` (m,) say which images of the set they are."""
    for number, step in enumerate(steps):
        pixels = step.apply(pixels, image_uniforms(seed, epoch, number, indices, step.draws), arena)
    return pixels


def _integers(uniforms: Uniforms, low: int, high: int) -> NDArray[np.intp]:
    """Map uniform numbers to integers from `low` to `high`, both included."""
    return (low + np.floor(uniforms * (high - low + 1))).astype(np.intp)


def _turned(pixels: Pixels, angles: NDArray[np.float64], arena: Arena) -> Pixels:
    count, _, height, width = pixels.shape
    y = np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2  # (H, 1), from the centre
    x = np.arange(width, dtype=np.float32) - (width - 1) / 2  # (W,)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    rows, columns = (arena.empty((count, height, width), np.float32) for _ in range(2))
    np.subtract(cos * y, sin * x, out=rows)
    np.add(sin * y, cos * x, out=columns)
    for places, size in ((rows, height), (columns, width)):
        places += (size - 1) / 2
        places.clip(0, size - 1, out=places)
    return read_between(pixels, rows, columns, arena)
