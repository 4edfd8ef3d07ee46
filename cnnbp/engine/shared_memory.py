"""Memory that several processes of one machine see: parameters, images and gradients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnbp.engine.batch import MicroBatch
from cnnbp.engine.fork import shared_zeros
from cnnbp.parameters import Parameters

_LINE = 64  # bytes of a cache line: what two processes write never shares one


class SharedMemory:
    """Seen by this process and those that it forks afterwards; what one of them writes there, all see."""

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

    def write(self, batch: Sequence[MicroBatch]) -> list["SharedImages"]:
        """Copy the images here, and return where those of each micro-batch lie."""
        written, start = [], 0
        for micro_batch in batch:
            images = micro_batch.images
            written.append(SharedImages(start, images.shape, images.dtype, replace(micro_batch, images=images[:0])))
            self._view(written[-1])[...] = images
            start += _whole_lines(images.nbytes)
        return written

    def read(self, written: "SharedImages") -> MicroBatch:
        """Return a micro-batch, its images as they lie here."""
        return replace(written.micro_batch, images=self._view(written))

    def _view(self, written: "SharedImages") -> Any:
        return np.ndarray(written.shape, written.dtype, self._images, written.start)


@dataclass(frozen=True, slots=True)
class SharedImages:
    """Where in shared memory the images of a micro-batch lie, and the micro-batch without them."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    micro_batch: MicroBatch


def _bytes_of(batch: Sequence[MicroBatch]) -> int:
    return sum(_whole_lines(micro_batch.images.nbytes) for micro_batch in batch)


def _whole_lines(size: int) -> int:
    return -(-size // _LINE) * _LINE
