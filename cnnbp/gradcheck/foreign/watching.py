"""What a call changes of what it was given: every array that an object holds, before and after.

Nothing but arrays is copied: a cache may hold what has no copy, as a tensor that requires grad, a closure, a lock.
"""

import functools
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from cnnbp.arrays import Array

_MOST_OBJECTS = 10_000  # in one cache; what holds more is a program, not a cache
_PLAIN = (str, bytes, int, float, complex, type(None), slice, range, type, np.generic, np.dtype)
_CODE = (types.ModuleType, types.BuiltinFunctionType, np.ufunc)


class Watched:
    """The arrays inside an object, as they are now.

    `unseen` are the types of what else it holds, into which nothing can look: a generator, a lock, ….
    """

    def __init__(self, value: Any) -> None:
        self.unseen: set[str] = set()
        self._seen: dict[int, Any] = {}  # by id: what is kept here keeps its id
        self._arrays = [(array, array.copy()) for array in self._found(value)]

    @property
    def has_changed(self) -> bool:
        """Whether an array is no longer what it was."""
        return not all(equal(array, before) for array, before in self._arrays)

    def restore(self) -> None:
        """Put back what has changed."""
        for array, before in self._arrays:
            if not equal(array, before) and array.flags.writeable:
                array[...] = before

    def disturb(self, by: Callable[[Array], Array]) -> None:
        """Write something else over every array of floating-point numbers."""
        for array, before in self._arrays:
            if array.dtype.kind == "f" and array.flags.writeable:
                array[...] = by(before)

    def _found(self, value: Any) -> Iterator[Array]:
        waiting = [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, (*_PLAIN, *_CODE)) or id(item) in self._seen:
                continue
            self._seen[id(item)] = item
            array, inside = as_array(item), None
            if array is not None and array.dtype != object:
                yield array
                continue
            if len(self._seen) < _MOST_OBJECTS:
                inside = _parts(item) if array is None else array.tolist()
            if inside is None:
                self.unseen.add(type(item).__name__)
            else:
                waiting.extend(inside)


def as_array(value: Any) -> Array | None:
    """Return an array, or another framework's as one that shares its memory where it can; None for anything else."""
    if isinstance(value, np.ndarray):
        return value.view(np.ndarray)
    try:
        if hasattr(value, "detach"):  # a tensor of PyTorch
            return np.asarray(value.detach().cpu())
        return np.asarray(value) if hasattr(value, "__array__") else None
    except (TypeError, RuntimeError):  # one that NumPy has no dtype or no layout for
        return None


def equal(left: Array, right: Array) -> bool:
    """Tell whether two arrays hold the same numbers; NaN is like NaN."""
    return np.array_equal(left, right) or (left.dtype.kind in "fc" and np.array_equal(left, right, equal_nan=True))


def _parts(item: Any) -> Iterable[Any] | None:
    """Return what an object holds; None where that cannot be seen."""
    if isinstance(item, Mapping):
        return list(item.values())
    if isinstance(item, list | tuple | set | frozenset):
        return item
    if isinstance(item, functools.partial):
        return item.func, item.args, item.keywords
    if isinstance(item, types.MethodType):
        return (item.__self__,)
    if isinstance(item, types.FunctionType):
        return [cell.cell_contents for cell in item.__closure__ or () if cell != types.CellType()]
    slots = [name for kind in type(item).__mro__ for name in getattr(kind, "__slots__", ())]
    attributes = list(getattr(item, "__dict__", {}).values())
    if not attributes and not slots and not hasattr(item, "__dict__"):
        return None
    return attributes + [getattr(item, name) for name in slots if hasattr(item, name)]
