"""All parameters of a network in one vector, with a named view for each tensor.

An optimizer step, the sum of two gradients or their norm is then one operation on one vector; a layer still gets
its own `W` and `b`. Gradients have the same form.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.arrays import Array, Shape

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


class Parameters:
    """The parameters of a network, or their gradient: one vector (N,) and its named views."""

    def __init__(self, layout: Layout, vector: Array) -> None:
        self.layout = layout
        self.vector = vector
        self.tensors = layout.views(vector)

    def __getitem__(self, layer: str) -> dict[str, Array]:
        """Return a layer's tensors by name; none for a layer without parameters."""
        return self.tensors.get(layer, {})

    def items(self) -> Iterator[tuple[str, Array]]:
        """Yield ("conv1.W", array) for each tensor in order."""
        for layer, tensors in self.tensors.items():
            for name, array in tensors.items():
                yield f"{layer}.{name}", array

    def copy(self) -> "Parameters":
        """Return parameters of their own with the same values."""
        return Parameters(self.layout, self.vector.copy())

    def astype(self, dtype: DTypeLike) -> "Parameters":
        """Return a copy in another dtype."""
        return Parameters(self.layout, self.vector.astype(dtype))
