"""What a computation is differentiated by: a parameter of one of its nodes, or a value that its nodes read."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.computation import Computation, Forward, Stack, follow_branches
from cnnbp.gradcheck.replay import AllGradients
from cnnbp.gradcheck.sampling import sample
from cnnbp.gradcheck.shortcuts import Seen, shortcut
from cnnbp.network import Node

CROSS_CHECKED = 12  # entries of each tensor at which a shortcut is held against the plain forward


@dataclass(frozen=True)
class Value:
    """A value (…, M): the images, or what a single layer reads."""

    name: str
    computation: Computation
    index: int

    @property
    def theta(self) -> Array:
        return self.computation.values[self.index]

    @cached_property
    def reached(self) -> list[Node]:
        """The nodes that are run again when the tensor moves."""
        return self.computation.behind(self.index)

    @cached_property
    def images_per_copy(self) -> int:
        """M where images feel each other, else 1: the touched one."""
        return self.computation.batch_size if any(node.is_coupled for node in self.reached) else 1

    def stacked(self, entries: Array, shifts: Array, forward: Forward, arena: Arena) -> Stack:
        """Return E·S copies: entry e (flat index) moved by each of its shifts (E, S)."""
        M, copies = self.computation.batch_size, np.arange(shifts.size)
        places, images = np.divmod(np.repeat(entries, shifts.shape[1]), M)
        if self.images_per_copy == 1:
            columns, touched = images[:, None], copies
        else:
            columns, touched = np.tile(np.arange(M), (shifts.size, 1)), copies * M + images
        x = _copied(self.theta, columns, shifts)
        x.reshape(-1, x.shape[-1])[places, touched] += shifts.reshape(-1)
        return Stack({self.index: x}, columns, np.zeros(shifts.size, bool))

    def moved(self, step: Array, forward: Forward, arena: Arena) -> Stack:
        """Return one copy with the whole tensor moved by `step`."""
        return Stack({self.index: self.theta + step}, self.computation.one_copy, np.zeros(1, bool))

    def gradient_in(self, gradients: AllGradients) -> Array:
        """Return what is its own among all gradients of the computation."""
        return gradients.values[self.index]


@dataclass(frozen=True)
class Parameter:
    """A tensor of a node's parameters."""

    computation: Computation
    node: Node
    tensor: str

    @property
    def name(self) -> str:
        return f"{self.node.name}.{self.tensor}"

    @property
    def theta(self) -> Array:
        return self.computation.params[self.node.name][self.tensor]

    @cached_property
    def reached(self) -> list[Node]:
        return [self.node, *self.computation.behind(self.node.index)]

    @property
    def images_per_copy(self) -> int:
        return self.computation.batch_size

    def stacked(self, entries: Array, shifts: Array, forward: Forward, arena: Arena) -> Stack:
        if self._shortcut:
            return self._shifted_channels(self._shortcut, entries, shifts)
        return self._one_by_one(entries, shifts, forward, arena)

    def moved(self, step: Array, forward: Forward, arena: Arena) -> Stack:
        computation, node = self.computation, self.node
        alone = Stack({}, computation.one_copy, np.zeros(1, bool))
        dtype = np.result_type(self.theta, step)  # all of the layer's parameters alike: none may cast the others back
        params = {name: theta.astype(dtype) for name, theta in computation.params[node.name].items()}
        params[self.tensor] += step
        y, crossed = computation.run(node, computation.input(node), params, alone, forward, arena)
        return Stack({node.index: y}, alone.columns, crossed)

    def gradient_in(self, gradients: AllGradients) -> Array:
        return gradients.parameters[self.name]

    @cached_property
    def _shortcut(self) -> Seen | None:
        """The shortcut of the layer's family, if this very layer's forward agrees with it at a few entries."""
        seen = shortcut(self.node, self.tensor, self.computation.input(self.node))
        if seen is None:
            return None
        quick, step = self.computation.values[self.node.index].copy(), np.zeros(self.theta.shape)
        for entry in sample(self.theta.shape, CROSS_CHECKED, seed=0).tolist():
            step.reshape(-1)[entry] = 1
            channel, change = seen(entry)
            quick[channel] += change
        plain = self.moved(step, follow_branches, Arena()).values[self.node.index]
        return seen if np.allclose(quick, plain, rtol=0, atol=1e-12 * np.abs(plain).max()) else None

    def _shifted_channels(self, seen: Seen, entries: Array, shifts: Array) -> Stack:
        base, M = self.computation.values[self.node.index], self.computation.batch_size
        columns = np.tile(np.arange(M), (shifts.size, 1))
        y = _copied(base, columns, shifts)
        by_entry = y.reshape(*base.shape[:-1], *shifts.shape, M)
        for position, (entry, moves) in enumerate(zip(entries.tolist(), shifts, strict=True)):
            channel, change = seen(entry)  # change: (…, M)
            by_entry[channel, ..., position, :, :] += moves[:, None] * change[..., None, :]  # (…, S, M)
        return Stack({self.node.index: y}, columns, np.zeros(shifts.size, bool))

    def _one_by_one(self, entries: Array, shifts: Array, forward: Forward, arena: Arena) -> Stack:
        stacks = []
        for entry, shift in zip(np.repeat(entries, shifts.shape[1]), shifts.reshape(-1), strict=True):
            step = np.zeros(self.theta.shape, shifts.dtype)
            step.reshape(-1)[entry] = shift
            stacks.append(self.moved(step, forward, arena))
        y = np.concatenate([stack.values[self.node.index] for stack in stacks], axis=-1)
        columns = np.concatenate([stack.columns for stack in stacks])
        return Stack({self.node.index: y}, columns, np.concatenate([stack.crossed for stack in stacks]))


Argument = Value | Parameter


def _copied(base: Array, columns: Array, shifts: Array) -> Array:
    """Return the base point's images for each copy, complex if the shifts are."""
    stack = Stack({}, columns, np.zeros(len(columns), bool))
    return stack.take(base).astype(np.result_type(base, shifts), copy=False)
