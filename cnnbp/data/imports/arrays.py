"""Arrays of images and labels: which axes are what, and numbers of any kind as the levels 0 to 255."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt, prod
from typing import Any

import numpy as np

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.data.imports.containers import CHUNK, MOST_BYTES, MOST_FILES, Bounded
from cnnbp.data.opening import MAX_PIXELS
from cnnbp.errors import DataError


@dataclass(frozen=True)
class Header:
    """What an array of N images or labels claims to be: N first, rows one after the other."""

    dtype: "np.dtype[Any]"
    shape: Shape

    @property
    def row(self) -> int:
        """Bytes of one image or label."""
        return prod(self.shape[1:]) * self.dtype.itemsize

    def check(self, content: int | None) -> None:
        """Raise DataError for more than can be meant, or something else than the bytes of content that there are."""
        if self.dtype.kind not in "uifb":
            raise DataError(f"an array holds {self.dtype}, not numbers; what holds Python objects is not read")
        if not self.shape or not all(self.shape):
            raise DataError(f"an array of {format_shape(self.shape)} holds nothing")
        if self.shape[0] > MOST_FILES or prod(self.shape[1:]) > 3 * MAX_PIXELS or self.shape[0] * self.row > MOST_BYTES:
            raise DataError(f"an array of {format_shape(self.shape)} is too much")
        if content is not None and content != self.shape[0] * self.row:
            raise DataError(f"an array of {format_shape(self.shape)} is claimed, and {content:,} bytes are there")


def rows(content: Bounded, header: Header) -> Iterator[Array]:
    """Yield the array (N, …) in pieces of about a megabyte. Raises DataError where it ends early."""
    count = max(1, CHUNK // header.row)
    for start in range(0, header.shape[0], count):
        n = min(count, header.shape[0] - start)
        data = b"".join(_exactly(content, n * header.row))
        yield np.frombuffer(data, header.dtype).reshape(n, *header.shape[1:])


def _exactly(content: Bounded, size: int) -> Iterator[bytes]:
    while size:
        data = content.read(min(size, CHUNK))
        if not data:
            raise DataError("it ends in the middle of an array")
        size -= len(data)
        yield data


def require_end(content: Bounded) -> None:
    """Raise DataError where more follows than was claimed."""
    if content.read(1):
        raise DataError("more bytes follow than its header claims")


def read_labels(content: Bounded, header: Header) -> Array:
    """Read labels (N,), (N, 1), or (N, K) with one 1 in each row, as whole numbers (N,)."""
    if header.row > CHUNK:
        raise DataError(f"{format_shape(header.shape)} are no labels: one number for each image is needed")
    labels = np.concatenate([*rows(content, header)]).reshape(header.shape[0], -1)
    if labels.shape[1] > 1:
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise DataError(f"labels of {format_shape(header.shape)} need one 1 in each row, and zeros else")
        labels = labels.argmax(axis=1)[:, None]
    whole = labels[:, 0].astype(np.int64)
    if (whole != labels[:, 0]).any() or whole.min() < 0 or whole.max() >= MOST_FILES:
        raise DataError(f"labels are whole numbers from 0 on, not {labels.min()} to {labels.max()}")
    return whole


def image_axes(shape: Shape) -> tuple[Shape, tuple[int, ...]]:
    """Return how an image's axes are cut and turned to become (H, W) or (H, W, 3)."""
    match shape:
        case (H, W):
            return (H, W), (0, 1)
        case (H, W, 1):
            return (H, W), (0, 1)
        case (1, H, W):
            return (H, W), (0, 1)
        case (H, W, 3):
            return (H, W, 3), (0, 1, 2)
        case (3, H, W):
            return (3, H, W), (1, 2, 0)
        case (n,) if isqrt(n) ** 2 == n:
            return (isqrt(n), isqrt(n)), (0, 1)
    raise DataError(
        f"images of {format_shape(shape)} cannot be told: height×width, with 1 or 3 channels last or first, is needed"
    )


def scale_of(low: float, high: float, dtype: "np.dtype[Any]") -> float:
    """Return what levels are multiplied by to be 0 to 255, given the smallest and the largest. Raises DataError."""
    if dtype.kind in "ub" or (dtype.kind == "i" and low >= 0):
        scale = 255.0 if dtype.kind == "b" else 1.0
    else:
        scale = 255.0 if high <= 1 else 1.0
    if not (low >= 0 and high * scale <= 255):  # nor is it for NaN
        raise DataError(f"levels of {low:g} to {high:g} are neither 0 to 255 nor 0 to 1: scale them first")
    return scale


def levels(images: Array, scale: float) -> Array:
    """Return images as bytes."""
    if images.dtype == np.uint8:
        return images
    return np.rint(images * scale).astype(np.uint8)
