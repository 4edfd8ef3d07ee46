"""Put a mistake into one layer of a network, by wrapping: nothing in the layers knows of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, LossPass, Mistake
from cnnbp.layers import Context, Layer
from cnnbp.layers.base import Gradients, Params
from cnnbp.losses import Loss


@dataclass(frozen=True)
class Kept:
    """What a broken layer keeps for its backward."""

    x: Any
    y: Array
    cache: Any


def broken_layer(layer: Layer, mistake: Mistake) -> Layer:
    """Return a layer with the same forward whose backward makes a mistake."""
    base: Any = type(layer)
    memory: dict[str, Any] = {}

    class Broken(base):  # type: ignore[misc]
        def forward(self, params: Params, x: Any, ctx: Context) -> tuple[Array, Kept]:
            kept = tuple(each.copy() for each in x) if isinstance(x, tuple) else x.copy()
            y, cache = super().forward(params, x, ctx)
            return y, Kept(kept, y.copy(), cache)

        def backward(self, params: Params, cache: Kept, dy: Array, ctx: Context) -> tuple[Any, Gradients]:
            several = replace(ctx, accumulators={})  # a mistake may run backward twice: each result in its own memory
            return mistake(BackwardPass(layer, params, cache.x, cache.y, dy, cache.cache, several, memory))

        def branches(self, params: Params, cache: Kept, ctx: Context) -> Array:
            return super().branches(params, cache.cache, ctx)

    broken: Layer = Broken.model_construct(**dict(layer))
    return broken


def broken_loss(loss: Loss, mistake: Callable[[LossPass], Array]) -> Loss:
    """Return a loss with the same forward whose backward makes a mistake."""
    base: Any = type(loss)

    class Broken(base):  # type: ignore[misc]
        def forward(self, logits: Array, labels: Array) -> tuple[Array, tuple[Array, Array, Any]]:
            losses, cache = super().forward(logits, labels)
            return losses, (logits, labels, cache)

        def backward(self, cache: tuple[Array, Array, Any], batch_size: int) -> Array:
            logits, labels, inner = cache
            return mistake(LossPass(loss, logits, labels, inner, batch_size))

    broken: Loss = Broken.model_construct(**dict(loss))
    return broken
