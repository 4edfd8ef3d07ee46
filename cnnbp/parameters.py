"""All parameters of a network in one vector, with a named view for each tensor.

An optimizer step, the sum of two gradients or their norm is then one operation on one vector; a layer still gets
its own `W` and `b`. Gradients have the same form.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.display import Shown
from cnnbp.errors import ShapeError
from cnnbp.names import unknown

Tensors = dict[str, dict[str, Array]]  # layer name → tensor name → array


@dataclass(frozen=True)
class Layout:
    """Where each tensor lies in the vector: in the order of the layers, without gaps."""

    shapes: Mapping[str, Mapping[str, Shape]]

    @cached_property
    def size(self) -> int:
        """Number of values in all tensors together."""
        return sum(prod(shape) for tensors in self.shapes.values() for shape in tensors.values())

    def views(self, vector: Array) -> Tensors:
        """Return the tensors as views of a vector (N,)."""
        views: Tensors = {}
        start = 0
        for layer, tensors in self.shapes.items():
            views[layer] = {}
            for name, shape in tensors.items():
                views[layer][name] = vector[start : start + prod(shape)].reshape(shape)
                start += prod(shape)
        return views

    def empty(self, dtype: DTypeLike) -> "Parameters":
        """Return parameters that are yet to be written."""
        return Parameters(self, np.empty(self.size, dtype))

    def zeros(self, dtype: DTypeLike) -> "Parameters":
        """Return parameters that are all 0."""
        return Parameters(self, np.zeros(self.size, dtype))


class Parameters(Shown, Mapping[str, "LayerTensors"]):
    """The parameters of a network, or their gradient: a mapping from each layer that has some to its tensors.

    `parameters["conv1"]["W"]` is an array; `vector` (N,) is the memory that all of them lie in, one after the other.
    """

    def __init__(self, layout: Layout, vector: Array) -> None:
        self.layout = layout
        self.vector = vector
        self.tensors = layout.views(vector)

    def __getitem__(self, layer: str) -> "LayerTensors":
        """Return a layer's tensors. Raises UnknownName, a KeyError, for a layer that has none or is not there."""
        if layer not in self.tensors:
            raise unknown("layer with parameters", layer, self)
        return LayerTensors(layer, self.tensors[layer])

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameters):
            return NotImplemented
        return self.layout.shapes == other.layout.shapes and np.array_equal(self.vector, other.vector)

    __hash__ = None  # type: ignore[assignment]  # the values may change

    def __reduce__(self) -> tuple[type["Parameters"], tuple[Layout, Array]]:
        return Parameters, (self.layout, self.vector)  # so that a copy's tensors lie in its own vector

    def __repr__(self) -> str:
        layers = ", ".join(f"{layer}: {' '.join(tensors)}" for layer, tensors in self.tensors.items())
        return f"<Parameters {self.layout.size:,} numbers, {self.vector.dtype}; {layers}>"

    def of(self, layer: str) -> dict[str, Array]:
        """Return a layer's tensors, none for a layer without parameters."""
        return self.tensors.get(layer, {})

    def named(self) -> Iterator[tuple[str, Array]]:
        """Yield ("conv1.W", array) for each tensor, in the order of the layers."""
        for layer, tensors in self.tensors.items():
            for name, array in tensors.items():
                yield f"{layer}.{name}", array

    def copy(self) -> "Parameters":
        """Return parameters of their own with the same values."""
        return Parameters(self.layout, self.vector.copy())

    def astype(self, dtype: DTypeLike) -> "Parameters":
        """Return a copy in another dtype."""
        return Parameters(self.layout, self.vector.astype(dtype))


class LayerTensors(Mapping[str, Array]):
    """The tensors of one layer by name. To assign to one is to write into it: it stays a part of the whole vector."""

    def __init__(self, layer: str, tensors: Mapping[str, Array]) -> None:
        self._layer, self._tensors = layer, tensors

    def __getitem__(self, name: str) -> Array:
        if name not in self._tensors:
            raise unknown(f"parameter of {self._layer}", name, self)
        return self._tensors[name]

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        array, value = self[name], np.asarray(value)
        if value.shape not in (array.shape, ()):
            raise ShapeError(
                f"{self._layer}.{name} is {format_shape(array.shape)}; it cannot take {format_shape(value.shape)}"
            )
        array[...] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"<{self._layer}: {', '.join(f'{name} {format_shape(a.shape)}' for name, a in self._tensors.items())}>"
