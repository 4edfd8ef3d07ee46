"""Mistakes in a convolution's backward: the kernel's orientation, the scatter of dX, channels and groups."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, Bug, instead_of_dx, on_gradient
from cnnbp.layers.base import Gradients, Window
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.windows import places
from cnnbp.network import Node


def _window(step: BackwardPass) -> Window:
    window = step.layer.window(step.x.shape[:-1])
    assert window is not None
    return window


def _dcols(step: BackwardPass) -> Array:
    """Return ∂L/∂(every place of every window), (C, kH, kW, OH, OW, M), as the formula says."""
    W, dy, groups = step.params["W"], step.dy, dict(step.layer)["groups"]
    W = W.reshape(groups, -1, *W.shape[1:])
    dy = dy.reshape(groups, -1, *dy.shape[1:])
    dcols = np.einsum("gfcij,gfyxm->gcijyxm", W, dy)
    return dcols.reshape(-1, *dcols.shape[2:])


def _scattered(step: BackwardPass, window: Window, put: Callable[[Array, Array], None], shift: int = 0) -> Array:
    """Put every window's gradient to where the window saw it, and crop the padding, `shift` off its place."""
    dcols, (_, H, W, M) = _dcols(step), step.x.shape
    (top, bottom), (left, right) = window.pad
    dxp = np.zeros((len(dcols), top + H + bottom, left + W + right, M), dcols.dtype)
    for i, j, view in places(dxp, window, (dcols.shape[3], dcols.shape[4])):
        put(view, dcols[:, i, j])
    top, left = max(top - shift, 0), max(left - shift, 0)
    return dxp[:, top : top + H, left : left + W]


def _add(view: Array, values: Array) -> None:
    view += values


def _overwrite(view: Array, values: Array) -> None:
    view[...] = values


def _flipped_kernel(step: BackwardPass) -> Array:
    dx, _ = step.with_params(W=step.params["W"][..., ::-1, ::-1])
    return dx


def _swapped_channels(step: BackwardPass) -> Array:
    dx, _ = step.with_params(W=step.params["W"].swapaxes(0, 1))
    return dx


def _without_last_row(step: BackwardPass) -> Array:
    dy = step.dy.copy()
    dy[:, -1] = 0
    return step.with_dy(dy)[0]


def _mixed_groups(step: BackwardPass) -> tuple[Any, Gradients]:
    filters, groups = len(step.dy), dict(step.layer)["groups"]
    dx, _ = step.with_dy(np.roll(step.dy, filters // groups, axis=0))
    return dx, step.right()[1]


def _scatter(window: Callable[[Window], Window]) -> Callable[[BackwardPass], Array]:
    return lambda step: _scattered(step, window(_window(step)), _add)


def _geometry(node: Node) -> tuple[Window, bool]:
    """Return a node's window, and whether its windows overlap somewhere."""
    window = node.layer.window(node.input_shapes[0])
    assert window is not None
    return window, any(
        k > 1 and s <= d * (k - 1) for k, s, d in zip(window.kernel, window.stride, window.dilation, strict=True)
    )


def _conv(name: str, story: str, dx: Callable[[BackwardPass], Array], shows: Callable[[Node], bool]) -> Bug:
    return Bug(name, story, (Conv2d,), instead_of_dx(dx), shows)


def _has_area(node: Node) -> bool:
    return max(_geometry(node)[0].kernel) > 1


def _last_row_sees_the_image(node: Node) -> bool:
    """Whether the last row of windows reaches more than padding."""
    window, _ = _geometry(node)
    top = (node.output_shape[1] - 1) * window.stride[0] - window.pad[0][0]
    return any(0 <= top + i * window.dilation[0] < node.input_shapes[0][1] for i in range(window.kernel[0]))


def _filters_are_channels(node: Node) -> bool:
    filters, channels, *_ = node.parameter_specs["W"].shape
    return filters == channels > 1 and dict(node.layer)["groups"] == 1


CONVOLUTION_BUGS = (
    _conv("dX-unflipped", "dX with the kernel as it is, not turned by 180°", _flipped_kernel, _has_area),
    _conv("dX-channels-swapped", "dX with W's two channel axes swapped", _swapped_channels, _filters_are_channels),
    _conv(
        "dX-crop-off-by-one",
        "the padding is cropped off one row and column too early",
        lambda step: _scattered(step, _window(step), _add, shift=1),
        lambda node: max(_geometry(node)[0].pad[0][0], _geometry(node)[0].pad[1][0]) > 0,
    ),
    _conv(
        "dX-overlap-overwritten",
        "where windows overlap the last one wins, they should add up",
        lambda step: _scattered(step, _window(step), _overwrite),
        lambda node: _geometry(node)[1],
    ),
    _conv(
        "dX-stride-ignored",
        "dX is scattered as if the stride were 1",
        _scatter(lambda window: replace(window, stride=(1, 1))),
        lambda node: max(_geometry(node)[0].stride) > 1,
    ),
    _conv(
        "dX-dilation-ignored",
        "dX is scattered as if the dilation were 1",
        _scatter(lambda window: replace(window, dilation=(1, 1))),
        lambda node: any(
            d > 1 < k for k, d in zip(_geometry(node)[0].kernel, _geometry(node)[0].dilation, strict=True)
        ),
    ),
    _conv(
        "dX-last-row-skipped", "a loop ends one row of windows too early", _without_last_row, _last_row_sees_the_image
    ),
    Bug(
        "groups-mixed",
        "dX of each group from the next one's ∂L/∂y",
        (Conv2d,),
        _mixed_groups,
        lambda node: dict(node.layer)["groups"] > 1,
    ),
    Bug("dW-flipped", "dW turned by 180°", (Conv2d,), on_gradient("W", lambda _, dW: dW[..., ::-1, ::-1]), _has_area),
    Bug(
        "dW-channels-averaged",
        "the same mean dW for every input channel",
        (Conv2d,),
        on_gradient("W", lambda _, dW: np.broadcast_to(dW.mean(axis=1, keepdims=True), dW.shape).copy()),
        lambda node: node.parameter_specs["W"].shape[1] > 1,
    ),
    Bug(
        "db-spatial-mean",
        "the mean over all places instead of the sum",
        (Conv2d,),
        on_gradient("b", lambda step, db: db / (step.dy.shape[1] * step.dy.shape[2])),
        lambda node: "b" in node.parameter_specs and node.output_shape[1:] != (1, 1),
    ),
)
