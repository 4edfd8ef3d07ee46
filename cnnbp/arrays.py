"""Arrays and their shapes: how a shape is written, and the arena that reuses memory from step to step.

One layout holds everywhere: the batch is the last axis. Images and feature maps are (C, H, W, M), flattened ones
(features, M). A `Shape` is that without the M.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def format_shape(shape: Shape, batch: int | str | None = None) -> str:
    """Write a shape as `8×28×28`, or as `8×28×28×M` with `batch` behind it; a scalar is `scalar`."""
    sizes = shape if batch is None else (*shape, batch)
    return "×".join(str(size) for size in sizes) or "scalar"


class Arena:
    """Memory that is handed out front to back and taken back all at once.

    Fresh large arrays cost page faults in every step; an arena pays for them once. What does not fit is allocated
    on its own, and the next `reset` grows the block to what the last round needed at its height.
    """

    def __init__(self) -> None:
        self._block = np.empty(0, np.uint8)
        self._used = 0
        self._height = 0

    @property
    def nbytes(self) -> int:
        """Bytes that were in use at the height of the last round, alignment included."""
        return self._height

    def reset(self) -> None:
        """Take everything back: arrays handed out before this call will be overwritten."""
        if self._height > self._block.size:
            self._block = np.empty(self._height + _ALIGNMENT, np.uint8)
            self._block = self._block[-self._block.ctypes.data % _ALIGNMENT :]
        self._used = self._height = 0

    def empty(self, shape: Shape, dtype: DTypeLike) -> Array:
        """Return an uninitialised C-contiguous array that lives until the next `reset`."""
        dtype = np.dtype(dtype)
        nbytes = prod(shape) * dtype.itemsize
        start = self._used
        self._used += -(-nbytes // _ALIGNMENT) * _ALIGNMENT
        self._height = max(self._height, self._used)
        if start + nbytes > self._block.size:
            return np.empty(shape, dtype)
        return np.ndarray(shape, dtype, self._block, start)

    @contextmanager
    def scratch(self) -> Iterator[None]:
        """Take back at the end what is handed out inside: the next array then lies where the cache still is warm."""
        used = self._used
        try:
            yield
        finally:
            self._used = used
