"""How each tensor of a reference is made of others, one step at a time: to tell a mistake from what follows from it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import ValidationError

from cnnbp.arrays import Array, Shape
from cnnbp.layers import SPELLINGS, Add, Layer
from cnnbp.losses import LOSSES, Loss
from cnnbp.network import Node
from cnnbp.porting.hints import Mismatch, gradient_hint, loss_hint, output_hint, plain_hint, sure_gradient_hint
from cnnbp.porting.layouts import IMAGE
from cnnbp.porting.reference import Description, WrittenLayer
from cnnbp.porting.steps import Lookup, Place, dx_names
from cnnbp.porting.tensors import IMAGES, batch_statistics


@dataclass(frozen=True)
class Recipe:
    """The names of what a tensor is made of, how, and what a mistake in it looks like.

    `place` is the one layer whose dx it is; None for what is no dx, or is the sum of several.
    """

    needs: tuple[str, ...]
    make: Callable[[Lookup], Array]
    hint: Callable[[Lookup, Mismatch], str | None] = lambda of, mismatch: plain_hint(mismatch)
    place: Place | None = None


def recipes(description: Description) -> dict[str, Recipe]:
    """Return a recipe for each computed tensor, other than those of layers that are not cnnbp's own."""
    found, known = dict(_of_loss(description)), places(description)
    for place in known:
        name = place.node.name
        found |= {f"value/{name}": output_recipe(place)}
        found |= {f"{statistic}/{name}": _statistic(place, i) for i, statistic in enumerate(("mean", "var"))}
        for theta in place.params:
            found[f"grad/{name}.{theta}"] = gradient_recipe(place, f"d{theta}")
            found[f"image_grad/{name}.{theta}"] = _image_gradient(place, f"d{theta}")
    found |= _of_values(known, description)
    return {name: recipe for name, recipe in found.items() if name in description.tensors}


def places(description: Description) -> list[Place]:
    """Return the layers in their places; those that are not cnnbp's own are left out."""
    return [place for layer in description.layers if (place := _place(layer, description))]


def output_recipe(place: Place) -> Recipe:
    """Return how a layer makes its output."""
    return Recipe(
        place.reads,
        lambda of: place.step(of).forward()[0],
        lambda of, mismatch: output_hint(place.step(of), mismatch),
    )


def gradient_recipe(place: Place, gradient: str) -> Recipe:
    """Return how a layer makes one of its gradients (dx, dW, …)."""
    return Recipe(
        (*place.reads, place.dy),
        lambda of: place.step_back(of).gradients()[gradient],
        lambda of, mismatch: gradient_hint(place.step_back(of), gradient, mismatch),
        place if gradient == "dx" else None,
    )


def _image_gradient(place: Place, gradient: str) -> Recipe:
    return Recipe((*place.reads, place.dy), lambda of: place.step_back(of).image_gradients(gradient))


def _statistic(place: Place, index: int) -> Recipe:
    return Recipe(place.xs, lambda of: batch_statistics(of(place.xs[0]))[index])


def _of_loss(description: Description) -> Iterator[tuple[str, Recipe]]:
    loss, last = _loss(description), description.layers[-1].name

    def dlogits(of: Lookup) -> Array:
        _, cache = loss.forward(of("logits"), of("y"))
        return loss.backward(cache, len(of("y")))

    def hint(of: Lookup, mismatch: Mismatch) -> str | None:
        return loss_hint(loss, of("logits"), of("y"), mismatch)

    def sum_hint(of: Lookup, mismatch: Mismatch) -> str | None:
        return plain_hint(mismatch, M=len(of("y")))

    value = f"value/{last}"
    yield "logits", Recipe((value,), lambda of: of(value))
    yield "losses", Recipe(("logits", "y"), lambda of: loss.forward(of("logits"), of("y"))[0], sum_hint)
    yield "loss", Recipe(("losses",), lambda of: np.asarray(of("losses").mean()), sum_hint)
    yield f"grad/{last}", Recipe(("logits", "y"), dlogits, hint)


def _of_values(places: Sequence[Place], description: Description) -> Iterator[tuple[str, Recipe]]:
    """Yield ∂L/∂ each value: the sum over its readers."""
    for name in (IMAGES, *(layer.name for layer in description.layers)):
        value = name if name == IMAGES else f"value/{name}"
        read = [(place, dx) for place in places for dx, x in _named(place) if x == value]
        if not read or len(read) != sum(layer.inputs.count(name) for layer in description.layers):
            continue  # the logits, or a reader that is not cnnbp's own
        yield f"grad/{name}", gradient_recipe(*read[0]) if len(read) == 1 else _sum(read)


def _named(place: Place) -> Iterator[tuple[str, str]]:
    return zip(dx_names(len(place.xs)), place.xs, strict=True)


def _sum(read: Sequence[tuple[Place, str]]) -> Recipe:
    def shares(of: Lookup) -> list[Array]:
        return [place.step_back(of).gradients()[dx] for place, dx in read]

    def make(of: Lookup) -> Array:
        total: Array = np.sum(shares(of), axis=0)
        return total

    def hint(of: Lookup, mismatch: Mismatch) -> str | None:
        """Say whose share is wrong: what is left when all others are taken away looks like a mistake of it."""
        for (place, dx), share in zip(read, shares(of), strict=True):
            part = replace(mismatch, found=mismatch.found - (mismatch.right - share), right=share)
            if told := sure_gradient_hint(place.step_back(of), dx, part):
                return f"what {place.node.name} sends back: {told}"
        return plain_hint(mismatch)

    needs = dict.fromkeys(name for place, _ in read for name in (*place.reads, place.dy))
    return Recipe(tuple(needs), make, hint)


def _loss(description: Description) -> Loss:
    [loss] = (loss for loss in LOSSES if loss.type == description.loss.type)
    return loss.model_validate(description.loss.options)


def _place(written: WrittenLayer, description: Description) -> Place | None:
    layer = _layer(written)
    if layer is None:
        return None
    xs = tuple(name if name == IMAGES else f"value/{name}" for name in written.inputs)
    shapes, y = tuple(_shape(x, description) for x in xs), _shape(f"value/{written.name}", description)
    node = Node(0, layer, tuple(range(-len(xs), 0)), shapes, y)
    params = {name: f"param/{written.name}.{name}" for name in node.parameter_specs}
    mask = f"mask/{written.name}"
    return Place(node, xs, params, mask if mask in description.tensors else None, f"grad/{written.name}")


def _layer(written: WrittenLayer) -> Layer | None:
    if written.type == Add.type:
        return Add(name=written.name)
    try:
        layer = SPELLINGS[written.type].model_validate({**written.options, "name": written.name})
    except (KeyError, ValidationError):  # a layer of somebody's own
        return None
    return layer if isinstance(layer, Layer) else None


def _shape(name: str, description: Description) -> Shape:
    tensor = description.tensors[name]
    return tuple(size for axis, size in zip(tensor.axes, tensor.shape, strict=True) if axis != IMAGE)
