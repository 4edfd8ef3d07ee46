"""What must hold before any number is compared: backward is a function of what it is given, and changes nothing."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.arrays import Array, format_shape
from cnnbp.gradcheck.identities import broken_loss_identities
from cnnbp.gradcheck.point import Point
from cnnbp.layers import Context, Layer, PiecewiseLayer
from cnnbp.layers.base import Gradients, Params
from cnnbp.losses import Loss
from cnnbp.parameters import Parameters
from cnnbp.tape import Tape

_KEPT = "a second backward gives other gradients: something is kept between calls"


@dataclass(frozen=True)
class LayerRun:
    """A layer that ran forward once and backward twice."""

    y: Array
    cache: Any
    dxs: tuple[Array, ...]
    gradients: Gradients
    problems: tuple[str, ...]


def observe(layer: Layer, params: Params, xs: tuple[Array, ...], upstream: Array, ctx: Context) -> LayerRun:
    """Run a layer forward and backward on inputs (…, M); note what it changes or returns that it must not."""
    x = xs[0] if len(xs) == 1 else xs
    y, cache = layer.forward(params, x, ctx)
    given = {"its parameters": params, "its input": xs, "its cache": cache, "∂L/∂y": upstream}
    before = deepcopy(given)
    first = deepcopy(layer.backward(params, cache, upstream, ctx))
    problems = [f"backward changes {what}" for what in given if not _same(before[what], given[what])]
    dx, gradients = layer.backward(params, before["its cache"], upstream, ctx)
    if not _same(first, (dx, gradients)):
        problems.append(_KEPT)
    dx, gradients = first
    dxs = (dx,) if len(xs) == 1 else tuple(dx)
    problems += _misfits("dx", dxs, xs)
    problems += [f"backward gives no d{name}" for name in params if name not in gradients]
    for name, gradient in gradients.items():
        problems += _misfits(f"d{name}", (gradient,), (params[name],))
    if isinstance(layer, PiecewiseLayer):
        problems += held_problems(layer, params, x, y, cache, ctx)
    return LayerRun(y, cache, dxs, gradients, tuple(problems))


def loss_problems(loss: Loss, logits: Array, labels: Array) -> Iterator[str]:
    """Yield what a loss does with logits (K, M) that it must not."""
    losses, cache = loss.forward(logits, labels)
    if not np.isfinite(losses).all():
        yield "the loss is NaN or Inf here: there is no gradient"
    before = deepcopy((logits, labels, cache))
    dlogits = deepcopy(loss.backward(cache, len(labels)))
    if not _same(before, (logits, labels, cache)):
        yield "backward changes the logits, the labels or its cache"
    if not _same(dlogits, loss.backward(before[2], len(labels))):
        yield _KEPT
    yield from _misfits("∂L/∂logits", (dlogits,), (logits,))
    yield from broken_loss_identities(loss, dlogits)


def backward_problems(point: Point, tape: Tape, dlogits: Array) -> tuple[Parameters, list[str]]:
    """Run a network backward twice; return its first gradient, and what it changed or returned that it must not."""
    nodes = point.network.nodes
    given = {"the parameters": point.params.vector, "the running statistics": point.state, "∂L/∂logits": dlogits}
    given |= {f"the cache of {node.name}": tape.caches[node.index] for node in nodes}
    given |= {f"the output of {node.name}": tape.values[node.index] for node in nodes} | {"the images": point.x}
    before = deepcopy(given)
    gradient = point.backward(tape, dlogits)
    first = gradient.copy(), deepcopy(tape.gradients)
    problems = [f"the network's backward changes {what}" for what in given if not _same(before[what], given[what])]
    again = point.backward(tape, dlogits)
    if not _same((gradient.vector, first[1]), (again.vector, tape.gradients)):
        problems.append(_KEPT)
    for (name, array), (_, theta) in zip(gradient.named(), point.params.named(), strict=True):
        problems += _misfits(f"∂L/∂{name}", (array,), (theta,))
    for node in nodes:
        problems += _misfits(f"∂L/∂({node.name})", (first[1][node.index],), (tape.values[node.index],))
    return first[0], problems


def _misfits(name: str, gradients: tuple[Array, ...], of: tuple[Array, ...]) -> Iterator[str]:
    for gradient, theta in zip(gradients, of, strict=True):
        if gradient.shape != theta.shape:
            yield f"{name} has shape {format_shape(gradient.shape)}, it should be {format_shape(theta.shape)}"
        elif gradient.dtype != theta.dtype:
            yield f"{name} is {gradient.dtype} where everything else is {theta.dtype}"
        elif not np.isfinite(gradient).all():
            yield f"{name} has NaN or Inf"


def held_problems(layer: PiecewiseLayer, params: Params, x: Any, y: Array, cache: Any, ctx: Context) -> Iterator[str]:
    """Yield a complaint where a layer, held on its own branches, does not do what it does freely."""
    held = layer.forward_on(params, x, layer.branches(params, cache, ctx), ctx)
    if not np.allclose(held, y, rtol=1e-13, atol=0, equal_nan=True):
        yield "forward_on its own branches differs from forward"


def _same(left: Any, right: Any) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in zip(_arrays(left), _arrays(right), strict=True)
    )


def _arrays(value: Any) -> Iterator[Array]:
    """Yield all arrays inside tuples, lists, mappings and objects."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        yield from _arrays(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _arrays(item)
    elif hasattr(value, "__dict__"):
        yield from _arrays(vars(value))
