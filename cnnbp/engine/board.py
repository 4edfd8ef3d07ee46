"""Memory that several processes of one machine see: parameters, images and gradients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnbp.engine.batch import MicroBatch
from cnnbp.engine.fork import shared_zeros
from cnnbp.parameters import Parameters

_LINE = 64  # bytes of a cache line: what two processes write never shares one


class Board:
    """Shared by this process and those that it forks afterwards; what they write there, all see."""

    def __init__(self, like: Parameters, batch: Sequence[MicroBatch], gradients: int) -> None:
        """Raises OSError where the system has not so much memory to give."""
        row, images = _whole_lines(like.vector.nbytes), _bytes_of(batch)
        memory = shared_zeros(((1 + gradients) * row + images,))
        rows = memory[: (1 + gradients) * row].reshape(-1, row)[:, : like.vector.nbytes].view(like.vector.dtype)
        self.params, *self.gradients = (Parameters(like.layout, vector) for vector in rows)
        self._images = memory[(1 + gradients) * row :]

    def has_room(self, params: Parameters, batch: Sequence[MicroBatch], gradients: int) -> bool:
        """Tell whether these fit here."""
        alike = params.layout is self.params.layout and params.vector.dtype == self.params.vector.dtype
        return alike and _bytes_of(batch) <= len(self._images) and gradients <= len(self.gradients)

    def show(self, batch: Sequence[MicroBatch]) -> list["Posted"]:
        """Copy the images here, and return where each micro-batch lies."""
        posted, start = [], 0
        for micro_batch in batch:
            images = micro_batch.images
            posted.append(Posted(start, images.shape, images.dtype, replace(micro_batch, images=images[:0])))
            self._view(posted[-1])[...] = images
            start += _whole_lines(images.nbytes)
        return posted

    def read(self, posted: "Posted") -> MicroBatch:
        """Return a micro-batch, its images as they lie here."""
        return replace(posted.without_images, images=self._view(posted))

    def _view(self, posted: "Posted") -> Any:
        return np.ndarray(posted.shape, posted.dtype, self._images, posted.start)


@dataclass(frozen=True, slots=True)
class Posted:
    """Where on a board the images of a micro-batch lie, and all else of it."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    without_images: MicroBatch


def _bytes_of(batch: Sequence[MicroBatch]) -> int:
    return sum(_whole_lines(micro_batch.images.nbytes) for micro_batch in batch)


def _whole_lines(size: int) -> int:
    return -(-size // _LINE) * _LINE
