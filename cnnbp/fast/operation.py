"""What a tape does at once: an operation, the part of a network that it stands for, and what does the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from cnnbp.arrays import Array
from cnnbp.layers import Layer
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.network import Node


class Replacement:
    """Base of what does the work of one layer or of several: the same function of x and θ, and the same gradients.

    Its input and output may lie in strips (`kernels/strips.py`), as the operation says whose layer it is. It works in
    the arena's memory, and makes what it caches, and its y, its own.
    """

    kernel: str  # its name on the screen
    roundings: float = 1.0  # how many roundings it makes where the layers make one
    output_is_view: ClassVar[bool] = False
    caches_output: ClassVar[bool] = False

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        """Return y and the cache that backward needs."""
        raise NotImplementedError

    def backward(self, params: Params, cache: Any, dy: Array, ctx: Context) -> tuple[Array | None, Gradients]:
        """Return ∂L/∂x (None if the context does not want it) and ∂L/∂θ."""
        raise NotImplementedError

    def winners(self, cache: Any) -> Array:
        """Return where each window's maximum is (C, OH, OW, M): of what does a max pool along with another layer."""
        raise NotImplementedError


class CoupledReplacement(Replacement):
    """Base of what replaces a layer that couples images: the same shares, from the same pieces of a batch."""

    def statistics(self, params: Params, x: Array, ctx: Context) -> Array:
        """Return this micro-batch's share of the statistics, float64."""
        raise NotImplementedError

    def apply(self, params: Params, x: Array, statistics: Array, ctx: Context) -> tuple[Array, Any]:
        """Return y and the cache, given the whole batch's statistics."""
        raise NotImplementedError

    def gradient_statistics(self, params: Params, cache: Any, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        """Return this micro-batch's share of the sums that ∂L/∂x needs, and its ∂L/∂θ."""
        raise NotImplementedError

    def apply_gradient(self, params: Params, cache: Any, dy: Array, sums: Array, ctx: Context) -> Array:
        """Return ∂L/∂x, given the whole batch's sums."""
        raise NotImplementedError


class AsWritten:
    """The layers of some nodes, each of which reads the one before it, one after the other."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes

    def forward(self, params: Params, x: Any, ctx: Context) -> tuple[Array, list[Any]]:
        """Return the last layer's y, and all caches; `params` are those of the one layer that has any."""
        caches = []
        for node in self.nodes:
            x, cache = node.layer.forward(params if node.parameter_specs else {}, x, ctx)
            caches.append(cache)
        return x, caches

    def backward(self, params: Params, cache: list[Any], dy: Any, ctx: Context) -> tuple[Any, Gradients]:
        """Return ∂L/∂x of the first layer, and ∂L/∂θ."""
        gradients: Gradients = {}
        for node, cached in reversed(list(zip(self.nodes, cache, strict=True))):
            dy, found = node.layer.backward(params if node.parameter_specs else {}, cached, dy, ctx)
            gradients.update(found)
        return dy, gradients


@dataclass(frozen=True, eq=False)
class Operation:
    """Consecutive nodes of a network that are done at once, by a layer or by what replaces theirs.

    Each of the nodes but the first reads the one before it, and no other node does. One of them at most has parameters;
    one that couples images can only be the first. `kernel` names the replacement, None for a layer as it is written.
    x and y lie in `takes` and `gives` strips (`kernels/strips.py`), 0 for (C, H, W, M) as everywhere.
    """

    nodes: tuple[Node, ...]
    layer: Layer | Replacement
    kernel: str | None = None
    takes: int = 0
    gives: int = 0

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """The values that it reads, by index."""
        return self.nodes[0].inputs

    @cached_property
    def output(self) -> int:
        """The index of its value, the last node's; those of the others are never made."""
        return self.nodes[-1].index

    @cached_property
    def owner(self) -> Node:
        """The node that it is named after, and whose parameters, running statistics and random stream it works with."""
        return next((node for node in self.nodes if node.parameter_specs), self.nodes[-1])

    @property
    def roundings(self) -> float:
        """How many roundings it makes where the layers as they are written make one."""
        return self.layer.roundings if isinstance(self.layer, Replacement) else 1.0

    @property
    def is_coupled(self) -> bool:
        """Whether it mixes the images of a batch in training."""
        return self.nodes[0].is_coupled

    @property
    def written(self) -> AsWritten:
        """What it must come to: the same y, dx and dθ for the same x and dy, but for rounding and for strips."""
        return AsWritten(self.nodes)
