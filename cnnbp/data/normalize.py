"""Pixels 0…255 to the numbers that a network reads: (v/255 − mean)/std, channel by channel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cnnbp.arrays import Array
from cnnbp.data.split import Indices
from cnnbp.data.store import ImageSet
from cnnbp.engine.ranks import ALONE, Ranks, run_of
from cnnbp.errors import DataError

_CHUNK = 256  # images counted at a time


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation of each channel, for pixels in 0…1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def uniform(cls, channels: int, mean: float = 0.0, std: float = 1.0) -> "Normalization":
        """Return the same mean and deviation for all channels."""
        return cls((mean,) * channels, (std,) * channels)

    @classmethod
    def of(cls, images: ImageSet, indices: Indices | None = None, ranks: Ranks = ALONE) -> "Normalization":
        """Measure the images at `indices`, or all. Raises DataError for a channel that is everywhere the same.

        Counts are exact, so the result does not depend on order, chunks, threads or ranks.
        """
        indices = np.arange(len(images)) if indices is None else indices
        if images.pixels.dtype != np.uint8:
            return cls(*_moments_of_floats(images.pixels[indices]))
        mine = run_of(len(images), ranks)  # about those that this rank has decoded
        indices = indices[(indices >= mine.start) & (indices < mine.stop)]
        counts = np.zeros((images.image_format.channels, 256), np.int64)
        for start in range(0, len(indices), _CHUNK):
            for channel, pixels in enumerate(images.take(indices[start : start + _CHUNK]).swapaxes(0, 1)):
                counts[channel] += np.bincount(pixels.ravel(), minlength=256)
        return cls(*_moments(ranks.gather(counts[None], [1] * ranks.size).sum(axis=0)))

    def apply(self, pixels: Array, dtype: DTypeLike) -> Array:
        """Convert (m, C, H, W), uint8 in 0…255 or floats in 0…1, to a contiguous (C, H, W, m) array of `dtype`."""
        x, white = np.ascontiguousarray(pixels.transpose(1, 2, 3, 0)).astype(dtype), _white(pixels)
        for channel, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            x[channel] -= white * mean
            x[channel] *= 1 / (white * std)
        return x


def _white(pixels: Array) -> int:
    return 255 if pixels.dtype == np.uint8 else 1


def _moments(counts: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of each row of a (C, 256) histogram, as fractions of 255."""
    levels = np.arange(256) / 255
    total = counts.sum(axis=1)
    if not total.all():
        raise DataError("normalize: auto has no images to measure")
    mean = counts @ levels / total
    std = np.sqrt((counts * (levels - mean[:, None]) ** 2).sum(axis=1) / total)
    _require_spread((counts > 0).sum(axis=1) > 1)
    return tuple(mean.tolist()), tuple(std.tolist())


def _moments_of_floats(pixels: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of each channel of (N, C, H, W)."""
    values = pixels.swapaxes(0, 1).reshape(pixels.shape[1], -1)
    _require_spread(values.max(axis=1) > values.min(axis=1))
    return tuple(values.mean(axis=1, dtype=np.float64).tolist()), tuple(values.std(axis=1, dtype=np.float64).tolist())


def _require_spread(spreads: NDArray[np.bool_]) -> None:
    """Raise DataError for the first channel that is everywhere the same."""
    if not spreads.all():
        raise DataError(
            f"normalize: auto cannot divide by the spread of channel {spreads.argmin()}, which is 0: "
            "all pixels are the same; give mean and std"
        )
