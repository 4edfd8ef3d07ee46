"""Arrays and their shapes: how a shape is written, and the arena that reuses memory from step to step.

One layout holds everywhere: the batch is the last axis. Images and feature maps are (C, H, W, M), flattened ones
(features, M). A `Shape` is that without the M.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from math import prod
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]
Views = TypeVar("Views")

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def format_shape(shape: Shape, batch: int | str | None = None) -> str:
    """Write a shape as `8×28×28`, or as `8×28×28×M` with `batch` after it; a scalar is `scalar`."""
    sizes = shape if batch is None else (*shape, batch)
    return "×".join(str(size) for size in sizes) or "scalar"


def pixels(x: Array) -> Array:
    """View x (…, M) as its pixels (…): one item is copied faster than a run of M numbers."""
    return x.view(_pixel(x.shape[-1] * x.itemsize))[..., 0]


@cache
def _pixel(size: int) -> "np.dtype[np.void]":
    return np.dtype((np.void, size))


class Allocator:
    """Gives each array fresh from the system, which takes it back when it is no longer held."""

    def empty(self, shape: Shape, dtype: DTypeLike) -> Array:
        """Return an uninitialised C-contiguous array."""
        return np.empty(shape, dtype)

    def view(self, make: Callable[[Array], Views], array: Array) -> Views:
        """Return make(array), a view that follows from where the array lies alone."""
        return make(array)

    def scratch(self) -> AbstractContextManager[None]:
        """Return a context at whose end the arrays that were given inside are no longer needed."""
        return nullcontext()


class Arena(Allocator):
    """Gives memory front to back, and takes it back all at once.

    Fresh large arrays cost page faults in every step; an arena pays for them once. What does not fit is allocated
    on its own, and the next `reset` grows the block to what the last round needed at its height.
    """

    def __init__(self) -> None:
        self._block = np.empty(0, np.uint8)
        self.used = 0  # bytes that are handed out
        self._height = 0
        self._arrays: dict[object, tuple[Array, int]] = {}  # as every round asks for the same ones; with their ends
        self._views: dict[int, dict[object, Any]] = {}  # of each of them, by its id

    @property
    def nbytes(self) -> int:
        """Bytes that were in use at the height of the last round, alignment included."""
        return self._height

    def reset(self) -> None:
        """Take everything back: arrays handed out before this call will be overwritten."""
        if self._height > self._block.size:
            self._block = np.empty(self._height + _ALIGNMENT, np.uint8)
            self._block = self._block[-self._block.ctypes.data % _ALIGNMENT :]
            self._arrays.clear()
            self._views.clear()
        self.used = self._height = 0

    def empty(self, shape: Shape, dtype: DTypeLike) -> Array:
        """Return an uninitialised C-contiguous array that lives until the next `reset`."""
        array, end = self._arrays.get((self.used, shape, dtype)) or self._made(shape, dtype)
        self.used = end
        if end > self._height:
            self._height = end
        return array

    def view(self, make: Callable[[Array], Views], array: Array) -> Views:
        """Return make(array), made once for an array of the arena."""
        views = self._views.get(id(array))
        if views is None:
            return make(array)
        view: Views | None = views.get(make)
        if view is None:
            view = views[make] = make(array)
        return view

    def _made(self, shape: Shape, dtype: DTypeLike) -> tuple[Array, int]:
        start, kind = self.used, np.dtype(dtype)
        end = start - -prod(shape) * kind.itemsize // _ALIGNMENT * _ALIGNMENT
        if end > self._block.size:
            return np.empty(shape, kind), end
        array = np.ndarray(shape, kind, self._block, start)
        self._arrays[start, shape, dtype] = array, end
        self._views[id(array)] = {}
        return array, end

    def scratch(self) -> "_Scratch":
        """Take back at the end what is handed out inside: the next array then lies where the cache still is warm."""
        return _Scratch(self, self.used)


class _Scratch:
    """What `Arena.scratch` returns; a class, as a generator would take longer than a small layer."""

    __slots__ = ("_arena", "_used")

    def __init__(self, arena: Arena, used: int) -> None:
        self._arena, self._used = arena, used

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._arena.used = self._used
