"""Some nodes of a network at the point where they are differentiated, evaluated for many perturbed copies at once.

The copies stand side by side along the batch axis, and only nodes that a perturbation reaches are run again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.heads import Head
from cnnbp.layers import Context, Layer, PiecewiseLayer
from cnnbp.layers.base import Params
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.dropout import Dropout
from cnnbp.network import Node
from cnnbp.parameters import Tensors

# Runs a piecewise layer on x, given the base point's branches; returns y, and where y is on another piece.
Forward = Callable[[PiecewiseLayer, Params, Any, Array, Context], tuple[Array, Array]]


def follow_branches(layer: PiecewiseLayer, params: Params, x: Any, base: Array, ctx: Context) -> tuple[Array, Array]:
    """Run the layer as it is."""
    y, cache = layer.forward(params, x, ctx)
    return y, layer.branches(params, cache, ctx) != base


def hold_branches(layer: PiecewiseLayer, params: Params, x: Any, base: Array, ctx: Context) -> tuple[Array, Array]:
    """Run the layer on the pieces of the base point, whatever x says."""
    y = layer.forward_on(params, x, base, ctx)
    return y, np.zeros((1, y.shape[-1]), bool)


@dataclass(frozen=True)
class Stack:
    """Perturbed copies side by side: `values` are those that differ from the base point's, (…, copies·m).

    `columns` (copies, m) tells which image of the base point each column is; `crossed` (copies,) marks copies that
    have left their branches.
    """

    values: Mapping[int, Array]
    columns: Array
    crossed: Array

    def take(self, base: Array) -> Array:
        """Return the base point's array (…, M) once for each copy, (…, copies·m)."""
        copies, m = self.columns.shape
        if m == base.shape[-1]:  # every copy holds the whole batch
            return np.repeat(base.reshape(-1, 1, m), copies, axis=1).reshape(*base.shape[:-1], copies * m)
        return np.take(base, self.columns.reshape(-1), axis=-1)


@dataclass(frozen=True)
class Computation:
    """`nodes` in order, every value that they read or give, (…, M), and the head that their last output goes to."""

    nodes: tuple[Node, ...]
    params: Mapping[str, Params]
    state: Tensors
    values: Mapping[int, Array]
    branches: Mapping[int, Array]
    head: Head

    @property
    def batch_size(self) -> int:
        """M, the number of images at the base point."""
        return next(iter(self.values.values())).shape[-1]

    @cached_property
    def output(self) -> int:
        """Index of the value that the head reads."""
        return self.nodes[-1].index if self.nodes else next(iter(self.values))

    @property
    def one_copy(self) -> Array:
        """The columns of a stack that is one copy of the whole batch: (1, M)."""
        return np.arange(self.batch_size)[None]

    def input(self, node: Node) -> Any:
        """Return what the node reads at the base point."""
        xs = tuple(self.values[i] for i in node.inputs)
        return xs[0] if len(xs) == 1 else xs

    def context(self, node: Node, arena: Arena) -> Context:
        """Return what the node's layer may know: that this is training, and that nothing may be overwritten."""
        return Context(arena=arena, training=True, state=self.state.get(node.name, {}))

    def behind(self, value: int) -> list[Node]:
        """Return the nodes that a value reaches."""
        reached, nodes = {value}, []
        for node in self.nodes:
            if reached.intersection(node.inputs):
                reached.add(node.index)
                nodes.append(node)
        return nodes

    def evaluate(self, stack: Stack, forward: Forward, arena: Arena) -> tuple[Array, Array]:
        """Return the head's parts (P, copies, m), and which copies left their branches on the way (copies,)."""
        values, crossed = dict(stack.values), stack.crossed
        for node in self.nodes:
            if node.index not in values and any(i in values for i in node.inputs):
                xs = tuple(values[i] if i in values else stack.take(self.values[i]) for i in node.inputs)
                x = xs[0] if len(xs) == 1 else xs
                values[node.index], left = self.run(node, x, self.params[node.name], stack, forward, arena)
                crossed = crossed | left
        parts = self.head.parts(values[self.output], stack.columns.reshape(-1))
        return parts.reshape(len(parts), *stack.columns.shape), crossed

    def run(
        self, node: Node, x: Any, params: Params, stack: Stack, forward: Forward, arena: Arena
    ) -> tuple[Array, Array]:
        """Run one node on stacked input; return its output and which copies left their branches."""
        ctx = self.context(node, arena)
        copies = len(stack.columns)
        if isinstance(node.layer, PiecewiseLayer):
            hold = hold_branches if isinstance(node.layer, Dropout) else forward  # a mask stays as it was drawn
            y, left = hold(node.layer, params, x, stack.take(self.branches[node.index]), ctx)
            return y, np.any(left.reshape(-1, left.shape[-1]), axis=0).reshape(copies, -1).any(axis=1)
        if node.is_coupled:
            return forward_of_batches(node.layer, params, x, copies, ctx), np.zeros(copies, bool)
        y, _ = node.layer.forward(params, x, ctx)
        return y, np.zeros(copies, bool)


def forward_of_batches(layer: Layer, params: Params, x: Array, copies: int, ctx: Context) -> Array:
    """Run a layer that couples images on stacked x (C, …, copies·M), each copy a batch of its own."""
    if not isinstance(layer, BatchNorm) or copies == 1:
        return np.concatenate([layer.forward(params, batch, ctx)[0] for batch in np.split(x, copies, axis=-1)], axis=-1)
    shape, C, M = x.shape, len(x), x.shape[-1] // copies
    channels = x.reshape(C, -1, copies, M).swapaxes(1, 2).reshape(C * copies, -1, M)  # each copy has its own channels
    params = {name: np.repeat(theta, copies) for name, theta in params.items()}
    y, _ = layer.forward(params, channels, ctx)
    return y.reshape(C, copies, -1, M).swapaxes(1, 2).reshape(shape)
