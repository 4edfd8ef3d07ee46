"""One layer at one point: what it reads, and what cnnbp makes of it. What another program made is held against that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers import Context
from cnnbp.layers.base import Gradients, Params
from cnnbp.layers.dropout import Dropout
from cnnbp.network import Node

Lookup = Callable[[str], Array]  # a tensor by its name, in cnnbp's own layout


@dataclass(frozen=True, eq=False)
class LayerStep:
    """A node, its parameters, what it reads (…, M), ∂L/∂y where it is known, and what a dropout layer keeps.

    Arrays are float64. Without a mask dropout is off; batch norm takes the statistics of these images.
    """

    node: Node
    params: Params
    xs: tuple[Array, ...]
    dy: Array | None = None
    mask: Array | None = None

    @property
    def x(self) -> Any:
        """What the layer takes."""
        return self.xs[0] if len(self.xs) == 1 else self.xs

    @property
    def context(self) -> Context:
        """What the layer may know: a training step, but for dropout that is off."""
        is_off = isinstance(self.node.layer, Dropout) and self.mask is None
        return Context(training=not is_off, state=self.node.layer.state(self.node.input_shapes[0]))

    def first(self, images: int) -> "LayerStep":
        """Return the same with the first few images."""
        xs = tuple(x[..., :images].copy() for x in self.xs)
        dy = None if self.dy is None else self.dy[..., :images].copy()
        return replace(self, xs=xs, dy=dy, mask=None if self.mask is None else self.mask[..., :images])

    def towards(self, dy: Array) -> "LayerStep":
        """Return the same with another ∂L/∂y."""
        return replace(self, dy=dy)

    def forward(self) -> tuple[Array, Any]:
        """Return y and the cache."""
        layer, ctx = self.node.layer, self.context
        if isinstance(layer, Dropout) and self.mask is not None:
            return layer.forward_on(self.params, self.x, self.mask, ctx), self.mask
        return layer.forward(self.params, self.x, ctx)

    def gradients(self) -> dict[str, Array]:
        """Return every gradient by name: dx (dx1 and dx2 of two inputs), dW, … ."""
        assert self.dy is not None
        _, cache = self.forward()
        dx, gradients = self.node.layer.backward(self.params, cache, self.dy.copy(), self.context)
        return self.named(dx, gradients)

    def named(self, dx: Any, gradients: Gradients) -> dict[str, Array]:
        """Return what a backward pass gives by name."""
        dxs = (dx,) if len(self.xs) == 1 else dx
        return {
            **dict(zip(dx_names(len(self.xs)), dxs, strict=True)),
            **{f"d{name}": g for name, g in gradients.items()},
        }

    def image_gradients(self, name: str) -> Array:
        """Return a parameter's gradient image by image, (…, M)."""
        assert self.dy is not None
        images = np.arange(self.dy.shape[-1])
        return np.stack([self.towards(self.dy * (images == m)).gradients()[name] for m in images], axis=-1)


def dx_names(count: int) -> list[str]:
    """Return what the gradients of a layer's inputs are called."""
    return ["dx"] if count == 1 else [f"dx{place}" for place in range(1, count + 1)]


@dataclass(frozen=True)
class Place:
    """A layer in its place: its node, and the names of what it reads, forward and (`dy`) backward."""

    node: Node
    xs: tuple[str, ...]
    params: Mapping[str, str]
    mask: str | None
    dy: str

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of all that forward reads."""
        return (*self.xs, *self.params.values(), *([self.mask] if self.mask else []))

    def step(self, of: Lookup) -> LayerStep:
        """Return the layer with what forward reads."""
        params = {name: of(full) for name, full in self.params.items()}
        return LayerStep(self.node, params, tuple(map(of, self.xs)), mask=of(self.mask) if self.mask else None)

    def step_back(self, of: Lookup) -> LayerStep:
        """Return the layer with what backward reads."""
        return self.step(of).towards(of(self.dy))
