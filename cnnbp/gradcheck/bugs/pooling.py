"""Mistakes in where a pool sends its gradient, and how much of it."""

from collections.abc import Callable
from math import inf, prod
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, Bug, instead_of_dx, on_dx
from cnnbp.layers.base import PiecewiseLayer, Window
from cnnbp.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from cnnbp.layers.windows import padded, places, unpadded
from cnnbp.network import Node

Share = Callable[[int, Array], Array]  # number of a place in the window, what x has there → its share of dy


def _window_of(layer: Any, shape: tuple[int, ...]) -> Window:
    window = layer.window(shape)
    assert window is not None
    return window


def _add(view: Array, values: Array) -> None:
    view += values


def _spread(step: BackwardPass, share: Share, put: Callable[[Array, Array], None] = _add) -> Array:
    """Give each place of each window its share of the window's gradient."""
    window, out = _window_of(step.layer, step.x.shape[:-1]), (step.y.shape[1], step.y.shape[2])
    xp = padded(step.x, window, fill=-inf)
    dxp = np.zeros(xp.shape, step.dy.dtype)
    for number, ((_, _, view), (_, _, dview)) in enumerate(
        zip(places(xp, window, out), places(dxp, window, out), strict=True)
    ):
        put(dview, share(number, view) * step.dy)
    return unpadded(dxp, window)


def _overwrite_hits(view: Array, values: Array) -> None:
    np.copyto(view, values, where=values != 0)


def _overwrite(view: Array, values: Array) -> None:
    view[...] = values


def _argmax(step: BackwardPass) -> Array:
    assert isinstance(step.layer, PiecewiseLayer)
    return step.layer.branches(step.params, step.cache, step.ctx).astype(np.intp)


def _last_argmax(step: BackwardPass) -> Array:
    window, out = _window_of(step.layer, step.x.shape[:-1]), (step.y.shape[1], step.y.shape[2])
    last = np.zeros(step.y.shape, np.intp)
    for number, (_, _, view) in enumerate(places(padded(step.x, window, fill=-inf), window, out)):
        np.copyto(last, number, where=view == step.y)
    return last


def _all_ties(step: BackwardPass) -> Array:
    return _spread(step, lambda _, view: view == step.y)


def _last_maximum(step: BackwardPass) -> Array:
    last = _last_argmax(step)
    return _spread(step, lambda number, _: last == number)


def _rows_and_columns_swapped(step: BackwardPass) -> Array:
    row, column = np.divmod(_argmax(step), _window_of(step.layer, step.x.shape[:-1]).kernel[1])
    swapped = column * _window_of(step.layer, step.x.shape[:-1]).kernel[1] + row
    return _spread(step, lambda number, _: swapped == number)


def _overlap_overwritten(step: BackwardPass) -> Array:
    argmax = _argmax(step)
    return _spread(step, lambda number, _: argmax == number, _overwrite_hits)


def _evenly(step: BackwardPass, put: Callable[[Array, Array], None] = _add) -> Array:
    area = prod(_window_of(step.layer, step.x.shape[:-1]).kernel)
    return _spread(step, lambda _, view: np.full(view.shape, 1 / area), put)


def _overlaps(node: Node) -> bool:
    window = _window_of(node.layer, node.input_shapes[0])
    return any(s < k for k, s in zip(window.kernel, window.stride, strict=True))


def _area(node: Node) -> int:
    return prod(_window_of(node.layer, node.input_shapes[0]).kernel)


def _is_square(node: Node) -> bool:
    rows, columns = _window_of(node.layer, node.input_shapes[0]).kernel
    return rows == columns > 1


def _max(name: str, story: str, dx: Callable[[BackwardPass], Array], shows: Callable[[Node], bool]) -> Bug:
    return Bug(name, story, (MaxPool2d,), instead_of_dx(dx), shows)


def _avg(name: str, story: str, change: Callable[[BackwardPass, Array], Array], shows: Callable[[Node], bool]) -> Bug:
    return Bug(name, story, (AvgPool2d,), on_dx(change), shows)


POOLING_BUGS = (
    _max("all-ties", "every tied maximum gets the gradient, not the first alone", _all_ties, lambda n: _area(n) > 1),
    _max("last-maximum", "of tied maxima the last one gets it", _last_maximum, lambda n: _area(n) > 1),
    _max("argmax-swapped", "argmax read as (column, row)", _rows_and_columns_swapped, _is_square),
    _max("spread-to-all", "the gradient is shared evenly, as in average pooling", _evenly, lambda n: _area(n) > 1),
    _max("overlap-overwritten", "where windows share their maximum the last wins", _overlap_overwritten, _overlaps),
    _avg(
        "not-divided",
        "every place gets the whole gradient: 1/k² is missing",
        lambda step, dx: dx * prod(_window_of(step.layer, step.x.shape[:-1]).kernel),
        lambda node: _area(node) > 1,
    ),
    _avg(
        "divided-by-k",
        "divided by k instead of k²",
        lambda step, dx: dx * _window_of(step.layer, step.x.shape[:-1]).kernel[1],
        lambda node: _window_of(node.layer, node.input_shapes[0]).kernel[1] > 1,
    ),
    _avg(
        "overlap-overwritten",
        "where windows overlap the last one wins, they should add up",
        lambda step, _: _evenly(step, _overwrite),
        _overlaps,
    ),
    Bug(
        "not-divided",
        "every place gets the whole gradient: 1/(H·W) is missing",
        (GlobalAvgPool2d,),
        on_dx(lambda step, dx: dx * (dx.shape[1] * dx.shape[2])),
    ),
)
