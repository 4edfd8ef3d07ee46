"""What a mistake is: a backward pass with everything at hand that a wrong one could use, and where it would show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnnbp.arrays import Array
from cnnbp.layers import Context, Layer
from cnnbp.layers.base import Gradients, Params
from cnnbp.losses import Loss
from cnnbp.network import Node


@dataclass(frozen=True)
class BackwardPass:
    """One backward pass: `x` and `y` are what went in and came out. `memory` stays from call to call."""

    layer: Layer
    params: Params
    x: Any
    y: Array
    dy: Array
    cache: Any
    ctx: Context
    memory: dict[str, Any]

    @property
    def images(self) -> int:
        """M."""
        return self.dy.shape[-1]

    def right(self) -> tuple[Any, Gradients]:
        """Return what the layer's own backward returns."""
        return self.layer.backward(self.params, self.cache, self.dy, self.ctx)

    def with_params(self, **params: Array) -> tuple[Any, Gradients]:
        """Return what it would return with other parameters."""
        changed = {**self.params, **params}
        _, cache = self.layer.forward(changed, self.x, self.ctx)
        return self.layer.backward(changed, cache, self.dy, self.ctx)

    def with_dy(self, dy: Array) -> tuple[Any, Gradients]:
        """Return what it would return for another ∂L/∂y."""
        return replace(self, dy=dy).right()


Mistake = Callable[[BackwardPass], tuple[Any, Gradients]]


@dataclass(frozen=True)
class Bug:
    """A mistake in the backward pass of some layers; `shows` tells whether it changes a gradient at a node."""

    name: str
    story: str
    layers: tuple[type[Layer], ...]
    mistake: Mistake
    shows: Callable[[Node], bool] = lambda node: True
    mixes_images: bool = False  # a dx of an image follows others where the layer's own does not

    def fits(self, node: Node) -> bool:
        """Whether it can be planted in a node and be seen."""
        return isinstance(node.layer, self.layers) and self.shows(node)


@dataclass(frozen=True)
class LossPass:
    """One backward pass of a loss: logits (K, M), labels (M,) and the cache of its forward."""

    loss: Loss
    logits: Array
    labels: Array
    cache: Any
    batch_size: int

    def right(self) -> Array:
        """Return what the loss's own backward returns, (K, M)."""
        return self.loss.backward(self.cache, self.batch_size)

    def with_loss(self, **options: Any) -> Array:
        """Return what the loss would return with other options."""
        loss = self.loss.model_copy(update=options)
        _, cache = loss.forward(self.logits, self.labels)
        return loss.backward(cache, self.batch_size)

    def with_labels(self, labels: Array) -> Array:
        """Return what it would return for other labels."""
        _, cache = self.loss.forward(self.logits, labels)
        return self.loss.backward(cache, self.batch_size)


@dataclass(frozen=True)
class LossBug:
    """A mistake in the backward pass of some losses; `shows` is asked with the loss and its number of outputs."""

    name: str
    story: str
    losses: tuple[type[Loss], ...]
    mistake: Callable[[LossPass], Array]
    shows: Callable[[Loss, int], bool] = lambda loss, outputs: True

    def fits(self, loss: Loss, outputs: int) -> bool:
        """Whether it can be planted in a loss and be seen."""
        return isinstance(loss, self.losses) and self.shows(loss, outputs)


def on_dx(change: Callable[[BackwardPass, Array], Array]) -> Mistake:
    """Return the mistake that only spoils ∂L/∂x."""

    def mistake(step: BackwardPass) -> tuple[Any, Gradients]:
        dx, gradients = step.right()
        return change(step, dx), gradients

    return mistake


def on_gradient(name: str, change: Callable[[BackwardPass, Array], Array]) -> Mistake:
    """Return the mistake that only spoils the gradient of one parameter."""

    def mistake(step: BackwardPass) -> tuple[Any, Gradients]:
        dx, gradients = step.right()
        return dx, {**gradients, name: change(step, gradients[name])}

    return mistake


def instead_of_dx(dx: Callable[[BackwardPass], Array]) -> Mistake:
    """Return the mistake that works ∂L/∂x out in its own way."""
    return on_dx(lambda step, _: dx(step))


def has(node: Node, **options: Any) -> bool:
    """Whether a node's layer has these options."""
    values: Mapping[str, Any] = dict(node.layer)
    return all(values.get(name) == value for name, value in options.items())
