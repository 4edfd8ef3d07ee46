"""What must hold before any number is compared: backward is a function of what it is given, and changes nothing."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.arrays import Array, format_shape
from cnnbp.layers import Context, Layer, PiecewiseLayer
from cnnbp.layers.base import Gradients, Params


@dataclass(frozen=True)
class Observation:
    """A layer that ran forward once and backward twice."""

    y: Array
    cache: Any
    dxs: tuple[Array, ...]
    gradients: Gradients
    problems: tuple[str, ...]


def observe(layer: Layer, params: Params, xs: tuple[Array, ...], upstream: Array, ctx: Context) -> Observation:
    """Run a layer forward and backward on inputs (…, M); note what it changes or returns that it must not."""
    x = xs[0] if len(xs) == 1 else xs
    y, cache = layer.forward(params, x, ctx)
    given = {"its parameters": params, "its input": xs, "its cache": cache, "∂L/∂y": upstream}
    before = deepcopy(given)
    first = deepcopy(layer.backward(params, cache, upstream, ctx))
    problems = [f"backward changes {what}" for what in given if not _same(before[what], given[what])]
    dx, gradients = layer.backward(params, before["its cache"], upstream, ctx)
    if not _same(first, (dx, gradients)):
        problems.append("a second backward gives other gradients: something is kept between calls")
    dx, gradients = first
    dxs = (dx,) if len(xs) == 1 else tuple(dx)
    problems += _misfits("dx", dxs, xs)
    problems += [f"backward gives no d{name}" for name in params if name not in gradients]
    for name, gradient in gradients.items():
        problems += _misfits(f"d{name}", (gradient,), (params[name],))
    if isinstance(layer, PiecewiseLayer):
        problems += _loose_branches(layer, params, x, y, cache, ctx)
    return Observation(y, cache, dxs, gradients, tuple(problems))


def _misfits(name: str, gradients: tuple[Array, ...], of: tuple[Array, ...]) -> Iterator[str]:
    for gradient, theta in zip(gradients, of, strict=True):
        if gradient.shape != theta.shape:
            yield f"{name} has shape {format_shape(gradient.shape)}, it should be {format_shape(theta.shape)}"
        elif gradient.dtype != theta.dtype:
            yield f"{name} is {gradient.dtype} where everything else is {theta.dtype}"
        elif not np.isfinite(gradient).all():
            yield f"{name} has NaN or Inf"


def _loose_branches(layer: PiecewiseLayer, params: Params, x: Any, y: Array, cache: Any, ctx: Context) -> Iterator[str]:
    """Held on its own branches a layer must do what it does freely."""
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
