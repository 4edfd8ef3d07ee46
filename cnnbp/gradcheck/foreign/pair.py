"""A forward and a backward that others bring: each call gets copies of its own, and what it does to them is noted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.foreign.watching import Watched, as_array
from cnnbp.network import Node

ForwardFunction = Callable[..., tuple[Any, Any]]
BackwardFunction = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Ran:
    """What forward was given, and what it returned."""

    given: Mapping[str, Any]
    y: Array
    cache: Any


@dataclass(frozen=True)
class Pair:
    """`forward(*arrays)` → y, cache and `backward(dy, cache)` → one gradient for each array.

    The arrays at `variables` are differentiated; the others (labels, indices, a random generator) are handed on.
    `problems` collects what any call does that it must not. `node` is the layer that the two are made of, if they are.
    """

    name: str
    forward: ForwardFunction
    backward: BackwardFunction
    names: Sequence[str]
    arrays: Sequence[Any]
    variables: Sequence[int]
    node: Node | None = None
    problems: dict[str, None] = field(default_factory=dict)

    def array(self, name: str) -> Any:
        """Return the array of this name."""
        return self.arrays[self.names.index(name)]

    def run(self, moved: Mapping[int, Array] | None = None) -> Ran:
        """Run forward, some of the arrays moved elsewhere.

        What is raised for complex numbers is a TypeError: forward is not made for them.
        """
        arrays = [_copied((moved or {}).get(i, array)) for i, array in enumerate(self.arrays)]
        given = dict(zip(self.names, arrays, strict=True))
        watched = {name: Watched(array) for name, array in given.items()}
        try:
            y, cache = _unpacked(self.forward(*arrays))
        except Exception as error:
            if any(np.iscomplexobj(array) for array in arrays):
                raise TypeError(f"not a function of complex numbers: {error}") from error
            raise
        self.problems.update({f"forward changes {name}": None for name in given if watched[name].has_changed})
        return Ran(given, np.array(numbers(y, "y")), cache)

    def value(self, moved: Mapping[int, Array], like: Array) -> Array:
        """Return y with some of the arrays moved; NaN where forward refuses real numbers there."""
        try:
            return self.run(moved).y
        except Exception:
            if any(np.iscomplexobj(array) for array in moved.values()):
                raise
            return np.full_like(like, np.nan)

    def gradients(self, dy: Array, cache: Any) -> dict[str, Array | None]:
        """Return copies of the gradients by the names of the variables; None where backward gives none."""
        returned = self.backward(dy, cache)
        return {
            name: None if gradient is None else np.array(numbers(gradient, f"d{name}"))
            for name, gradient in self._named(returned)
        }

    def _named(self, returned: Any) -> list[tuple[str, Any]]:
        names = [self.names[i] for i in self.variables]
        if isinstance(returned, Mapping):
            return [(name, returned.get(name, returned.get(f"d{name}"))) for name in names]
        gradients = list(returned) if isinstance(returned, tuple | list) else [returned]
        if len(gradients) == len(self.arrays):
            gradients = [gradients[i] for i in self.variables]
        if len(gradients) != len(names):
            count = f"{len(gradients)} gradient{'s' * (len(gradients) != 1)}"
            raise TypeError(f"backward returned {count}, it should be one for each of {', '.join(self.names)}")
        return list(zip(names, gradients, strict=True))


def numbers(value: Any, name: str) -> Array:
    """Return what a function gave as an array. Raises TypeError for what is none."""
    found = as_array(value)
    array = np.asarray(value) if found is None else found
    if array.dtype.kind not in "fiubc":
        raise TypeError(f"{name} is {type(value).__name__}, it should be an array of numbers")
    return array


def _unpacked(returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        what = f"{len(returned)} values" if isinstance(returned, tuple | list) else type(returned).__name__
        raise TypeError(f"forward returned {what}, it should be y and a cache: return y, cache")
    return returned[0], returned[1]


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value
