"""What a computation is differentiated by: a parameter of one of its nodes, or a value that its nodes read."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.computation import Computation, Forward, Stack
from cnnbp.gradcheck.shortcuts import Seen, shortcut
from cnnbp.network import Node


class Argument(Protocol):
    """A tensor that can be perturbed, with its values at the base point."""

    @property
    def name(self) -> str:
        """How tables call it."""
        ...

    def at(self, computation: Computation) -> Array:
        """Return the tensor at the base point."""
        ...

    def stacked(
        self, computation: Computation, entries: Array, shifts: Array, forward: Forward, arena: Arena
    ) -> Stack:
        """Return E·S copies: entry e (flat index) moved by each of its shifts (E, S)."""
        ...

    def moved(self, computation: Computation, step: Array, forward: Forward, arena: Arena) -> Stack:
        """Return one copy with the whole tensor moved by `step`."""
        ...


@dataclass(frozen=True)
class Value:
    """A value (…, M): the images, or what a single layer reads."""

    name: str
    index: int

    def at(self, computation: Computation) -> Array:
        return computation.values[self.index]

    def stacked(
        self, computation: Computation, entries: Array, shifts: Array, forward: Forward, arena: Arena
    ) -> Stack:
        base, copies, M = self.at(computation), np.arange(shifts.size), computation.batch_size
        places, images = np.divmod(np.repeat(entries, shifts.shape[1]), M)
        touched = images
        if any(node.is_coupled for node in computation.behind(self.index)):
            columns = np.tile(np.arange(M), (shifts.size, 1))
            touched = copies * M + images
        else:  # the other images feel nothing
            columns, touched = images[:, None], copies
        stack = Stack({}, columns, np.zeros(shifts.size, bool))
        x = stack.take(base).astype(np.result_type(base, shifts), copy=False)
        x.reshape(-1, x.shape[-1])[places, touched] += shifts.reshape(-1)
        return Stack({self.index: x}, columns, stack.crossed)

    def moved(self, computation: Computation, step: Array, forward: Forward, arena: Arena) -> Stack:
        return Stack({self.index: self.at(computation) + step}, _one_copy(computation), np.zeros(1, bool))


@dataclass(frozen=True)
class Parameter:
    """A tensor of a node's parameters."""

    node: Node
    tensor: str

    @property
    def name(self) -> str:
        return f"{self.node.name}.{self.tensor}"

    def at(self, computation: Computation) -> Array:
        return computation.params[self.node.name][self.tensor]

    def stacked(
        self, computation: Computation, entries: Array, shifts: Array, forward: Forward, arena: Arena
    ) -> Stack:
        seen = shortcut(self.node, self.tensor, computation.input(self.node))
        if seen is None:
            return self._one_by_one(computation, entries, shifts, forward, arena)
        return self._shortcut(computation, entries, shifts, seen)

    def _shortcut(self, computation: Computation, entries: Array, shifts: Array, seen: Seen) -> Stack:
        base, M = computation.values[self.node.index], computation.batch_size
        columns = np.tile(np.arange(M), (shifts.size, 1))
        stack = Stack({}, columns, np.zeros(shifts.size, bool))
        y = stack.take(base).astype(np.result_type(base, shifts), copy=False)
        by_entry = y.reshape(*base.shape[:-1], *shifts.shape, M)
        for position, (entry, moves) in enumerate(zip(entries.tolist(), shifts, strict=True)):
            channel, change = seen(entry)
            change = change[..., None, :] if isinstance(change, np.ndarray) else change
            by_entry[channel, ..., position, :, :] += moves[:, None] * change  # (…, S, M)
        return Stack({self.node.index: y}, columns, stack.crossed)

    def _one_by_one(
        self, computation: Computation, entries: Array, shifts: Array, forward: Forward, arena: Arena
    ) -> Stack:
        base, stacks = self.at(computation), []
        for entry, moves in zip(entries, shifts, strict=True):
            for shift in moves:
                step = np.zeros(base.shape, shifts.dtype)
                step.reshape(-1)[entry] = shift
                stacks.append(self.moved(computation, step, forward, arena))
        y = np.concatenate([stack.values[self.node.index] for stack in stacks], axis=-1)
        columns, crossed = (np.concatenate(parts) for parts in zip(*((s.columns, s.crossed) for s in stacks), strict=True))
        return Stack({self.node.index: y}, columns, crossed)

    def moved(self, computation: Computation, step: Array, forward: Forward, arena: Arena) -> Stack:
        node, alone = self.node, Stack({}, _one_copy(computation), np.zeros(1, bool))
        params = {**computation.params[node.name], self.tensor: self.at(computation) + step}
        y, crossed = computation.run(node, computation.input(node), params, alone, forward, arena)
        return Stack({node.index: y}, alone.columns, crossed)


def _one_copy(computation: Computation) -> Array:
    return np.arange(computation.batch_size)[None]
