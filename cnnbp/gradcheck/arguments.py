"""What a computation is differentiated by: a parameter of one of its nodes, or a value that its nodes read."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.computation import Computation, Forward, Stack
from cnnbp.network import Node


class Argument(Protocol):
    """A tensor that can be perturbed."""

    @property
    def name(self) -> str:
        """How tables call it."""
        ...

    def base(self, computation: Computation) -> Array:
        """Return the tensor at the base point."""
        ...

    def perturbed(
        self, computation: Computation, entries: Array, shifts: Array, forward: Forward, arena: Arena
    ) -> Stack:
        """Return one copy for each of the entries (flat indices), with that entry shifted."""
        ...


@dataclass(frozen=True)
class Value:
    """A value (…, M): the images, or what a single layer reads."""

    name: str
    index: int

    def base(self, computation: Computation) -> Array:
        return computation.values[self.index]

    def perturbed(
        self, computation: Computation, entries: Array, shifts: Array, forward: Forward, arena: Arena
    ) -> Stack:
        base, copies, M = self.base(computation), np.arange(len(entries)), computation.batch_size
        places, images = np.divmod(entries, M)
        alone = not computation.couples_after(self.index)  # then a copy needs the touched image only
        columns = images if alone else np.tile(np.arange(M), len(entries))
        x = np.take(base, columns, axis=-1).astype(np.result_type(base, shifts))
        x.reshape(-1, x.shape[-1])[places, copies if alone else copies * M + images] += shifts
        return Stack({self.index: x}, columns, np.zeros(len(entries), bool))


@dataclass(frozen=True)
class Parameter:
    """A tensor of a node's parameters."""

    node: Node
    tensor: str

    @property
    def name(self) -> str:
        return f"{self.node.name}.{self.tensor}"

    def base(self, computation: Computation) -> Array:
        return computation.params[self.node.name][self.tensor]

    def perturbed(
        self, computation: Computation, entries: Array, shifts: Array, forward: Forward, arena: Arena
    ) -> Stack:
        base, node, params = self.base(computation), self.node, computation.params[self.node.name]
        xs = tuple(computation.values[i] for i in node.inputs)
        alone = Stack({}, np.arange(computation.batch_size), np.zeros(1, bool))
        outputs, crossed = [], []
        for entry, shift in zip(entries, shifts, strict=True):
            theta = base.astype(np.result_type(base, shift))
            theta.reshape(-1)[entry] += shift
            moved = {**params, self.tensor: theta}
            y, left = computation.run(node, xs[0] if len(xs) == 1 else xs, moved, alone, forward, arena)
            outputs.append(y)
            crossed.append(left[0])
        columns = np.tile(alone.columns, len(entries))
        return Stack({node.index: np.concatenate(outputs, axis=-1)}, columns, np.array(crossed))
