"""Mistakes that people make in a forward pass, as what they give: an output that equals one of these has made it."""

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from math import erf

import numpy as np
from pydantic_core import PydanticUndefined

from cnnbp.arrays import Array, Shape
from cnnbp.errors import ShapeError
from cnnbp.layers import LAYERS, Add, Layer
from cnnbp.layers.activations import GELU
from cnnbp.layers.base import Params
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.dense import Dense
from cnnbp.layers.dropout import Dropout
from cnnbp.layers.reshape import Flatten
from cnnbp.porting.steps import LayerStep
from cnnbp.porting.tensors import batch_statistics

Mistake = tuple[str, Array]  # what was done, and the output that it gives


def forward_mistakes(step: LayerStep) -> Iterator[Mistake]:
    """Yield what a layer's usual mistakes give for what it reads, with what they are."""
    for kind, mistakes in _OF_LAYER.items():
        if isinstance(step.node.layer, kind):
            yield from mistakes(step)
    yield from _without_a_parameter(step)
    yield from _with_a_default(step)
    yield from _of_another_type(step)


def _given(step: LayerStep, **params: Array) -> Array:
    """Return what the layer gives with other parameters."""
    y, _ = step.node.layer.forward({**step.params, **params}, step.x, step.context)
    return y


def _of_convolution(step: LayerStep) -> Iterator[Mistake]:
    W = step.params["W"]
    yield (
        "the kernel is turned by 180°: a convolution proper, where conv2d is a cross-correlation",
        _given(step, W=W[..., ::-1, ::-1].copy()),
    )
    if W.shape[2] == W.shape[3]:
        yield "the kernel's rows and columns are exchanged", _given(step, W=W.swapaxes(2, 3).copy())
    if W.shape[0] == W.shape[1]:
        yield "W's filters and channels are exchanged", _given(step, W=W.swapaxes(0, 1).copy())
    for down, across in ((1, 0), (0, 1), (1, 1), (-1, 0), (0, -1), (-1, -1)):
        ways = [f"{abs(by)} {name} too {side}" for by, name, side in _sides(down, across) if by]
        yield f"windows begin {' and '.join(ways)}: the padding", _forward_of(step, _moved(step.xs[0], down, across))


def _sides(down: int, across: int) -> tuple[tuple[int, str, str], ...]:
    return (down, "row", "high" if down > 0 else "low"), (across, "column", "far left" if across > 0 else "far right")


def _moved(x: Array, down: int, across: int) -> Array:
    """Return maps that lie some rows further down and columns further right, zeros where they came from."""
    (H, W), moved = x.shape[1:3], np.zeros_like(x)
    moved[:, max(down, 0) : H + min(down, 0), max(across, 0) : W + min(across, 0)] = x[
        :, max(-down, 0) : H + min(-down, 0), max(-across, 0) : W + min(-across, 0)
    ]
    return moved


def _forward_of(step: LayerStep, x: Array) -> Array:
    y, _ = step.node.layer.forward(step.params, x, step.context)
    return y


def _of_dense(step: LayerStep) -> Iterator[Mistake]:
    W = step.params["W"]
    yield "W is read in the order (features, units): transposed", _given(step, W=W.reshape(W.shape[::-1]).T.copy())


def _of_batch_norm(step: LayerStep) -> Iterator[Mistake]:
    layer, x = step.node.layer, step.xs[0]
    assert isinstance(layer, BatchNorm)
    (mean, var), n = batch_statistics(x), x[0].size
    for said, other in (
        ("the variance is divided by n − 1, where batch norm divides by n", var * n / max(n - 1, 1) + layer.eps),
        ("ε is missing from √(σ² + ε)", var),
        ("ε is added to σ instead of σ²", (np.sqrt(var) + layer.eps) ** 2),
        ("σ² stands where √(σ² + ε) should", (var + layer.eps) ** 2),
    ):
        with np.errstate(divide="ignore", invalid="ignore"):
            yield said, _normalized(step.params, x, mean, other)
    started = layer.state(x.shape[:-1])
    yield (
        "the running statistics stand for the batch's",
        _normalized(step.params, x, started["running_mean"], started["running_var"] + layer.eps),
    )


def _normalized(params: Params, x: Array, mean: Array, var: Array) -> Array:
    shape = (-1, *(1,) * (x.ndim - 1))
    gamma, beta = (params[name].reshape(shape) for name in ("gamma", "beta"))
    return gamma * (x - mean.reshape(shape)) / np.sqrt(var).reshape(shape) + beta


def _of_flatten(step: LayerStep) -> Iterator[Mistake]:
    x = step.xs[0]
    if x.ndim == 4:
        for order in ((1, 2, 0), *permutations(range(3))):  # the channels last, as others keep them
            names = ", ".join("CHW"[axis] for axis in order)
            yield (
                f"flattened in the order {names}, it should be C, H, W",
                x.transpose(*order, 3).reshape(-1, x.shape[3]),
            )


def _of_dropout(step: LayerStep) -> Iterator[Mistake]:
    if step.mask is not None:
        x, kept, share = step.xs[0], step.mask, 1 - float(dict(step.node.layer)["p"])
        yield "what is kept is not divided by 1 − p", x * kept
        yield "the mask is upside down: what should stay is dropped", x * ~kept / share
        yield "nothing is dropped: the mask is not applied", x


def _of_add(step: LayerStep) -> Iterator[Mistake]:
    left, right = step.xs
    yield "the shortcut is not added", left
    yield "the shortcut alone: the layers of the block are left out", right


def _of_gelu(step: LayerStep) -> Iterator[Mistake]:
    x = step.xs[0]
    yield "GELU's exact form, with erf; gelu is its tanh form", x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))


_OF_LAYER: Mapping[type[Layer], Callable[[LayerStep], Iterator[Mistake]]] = {
    Conv2d: _of_convolution,
    Dense: _of_dense,
    BatchNorm: _of_batch_norm,
    Flatten: _of_flatten,
    Dropout: _of_dropout,
    Add: _of_add,
    GELU: _of_gelu,
}


def _without_a_parameter(step: LayerStep) -> Iterator[Mistake]:
    for name, theta in step.params.items():
        if name != "W":
            yield f"{name} is left out", _given(step, **{name: np.full_like(theta, name == "gamma")})


def _with_a_default(step: LayerStep) -> Iterator[Mistake]:
    """Yield the layer with an option that it has been given as if it had not; and with a switch the other way."""
    layer = step.node.layer
    for name, field in type(layer).model_fields.items():
        value = getattr(layer, name)
        other = not value if isinstance(value, bool) else field.default
        if name == "name" or other is PydanticUndefined or other == value:
            continue
        twin = layer.model_copy(update={name: other})
        if _fits(twin, step) and _shapes_of(twin, step) == {key: theta.shape for key, theta in step.params.items()}:
            yield f"as if {name} were {other}", twin.forward(step.params, step.x, step.context)[0]


def _shapes_of(layer: Layer, step: LayerStep) -> dict[str, Shape]:
    return {name: spec.shape for name, spec in layer.parameters(step.node.input_shapes[0]).items()}


def _of_another_type(step: LayerStep) -> Iterator[Mistake]:
    """Yield what activations, and pools of the same options, give instead."""
    layer, options = step.node.layer, step.node.layer.model_dump(exclude={"name"}, exclude_defaults=True)
    if step.params or len(step.xs) > 1 or isinstance(layer, Flatten):
        return
    yield "the input itself: the layer is left out", step.xs[0]
    for kind in LAYERS:
        if kind in (type(layer), Dropout, Flatten) or not set(options) <= set(kind.model_fields):
            continue
        if any(field.is_required() and name not in options for name, field in kind.model_fields.items()):
            continue
        other = kind.model_validate(options)
        if not other.parameters(step.node.input_shapes[0]) and _fits(other, step):
            yield f"it is what {kind.type} gives", other.forward({}, step.x, step.context)[0]


def _fits(layer: Layer, step: LayerStep) -> bool:
    try:
        return layer.output_shape(*step.node.input_shapes) == step.node.output_shape
    except ShapeError:
        return False
