"""Mistakes in dense layers and in layers that only move numbers: dense, flatten, dropout, add."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, Bug, instead_of_dx, on_gradient
from cnnbp.layers.base import Gradients
from cnnbp.layers.dense import Dense
from cnnbp.layers.dropout import Dropout
from cnnbp.layers.reshape import Flatten
from cnnbp.layers.residual import Add
from cnnbp.network import Node


def _untransposed(step: BackwardPass) -> Array:
    W = step.params["W"]
    return W.reshape(W.shape[::-1]) @ step.dy


def _column_major(step: BackwardPass) -> Array:
    C, H, W, M = step.x.shape
    return step.dy.reshape(W, H, C, M).transpose(2, 1, 0, 3)


def _with_new_mask(step: BackwardPass) -> Array:
    _, cache = step.layer.forward(step.params, step.x, replace(step.ctx, stream=(*step.ctx.stream, 1)))
    dx: Array = replace(step, cache=cache).right()[0]
    return dx


def _one_side_only(step: BackwardPass) -> tuple[Any, Gradients]:
    (left, right), gradients = step.right()
    return (left, np.zeros_like(right)), gradients


def _is_matrix(node: Node) -> bool:
    return min(node.parameter_specs["W"].shape) > 1


def _kept(step: BackwardPass) -> float:
    return 1 - float(dict(step.layer)["p"])


def _dropout(name: str, story: str, dx: Callable[[BackwardPass], Array]) -> Bug:
    return Bug(name, story, (Dropout,), instead_of_dx(dx), lambda node: dict(node.layer)["p"] > 0)


PLUMBING_BUGS = (
    Bug(
        "dW-transposed",
        "x·dyᵀ read as dy·xᵀ",
        (Dense,),
        on_gradient("W", lambda _, dW: np.ascontiguousarray(dW.T).reshape(dW.shape)),
        _is_matrix,
    ),
    Bug("dX-untransposed", "dX with W instead of Wᵀ", (Dense,), instead_of_dx(_untransposed), _is_matrix),
    Bug(
        "column-major",
        "unflattened in the order (W, H, C)",
        (Flatten,),
        instead_of_dx(_column_major),
        lambda node: sum(side > 1 for side in node.input_shapes[0]) > 1,
    ),
    _dropout("unscaled", "1/(1 − p) is missing", lambda step: step.right()[0] * _kept(step)),
    _dropout("no-mask", "dropped numbers get gradient, too", lambda step: step.dy / _kept(step)),
    _dropout("new-mask", "backward draws a mask of its own", _with_new_mask),
    Bug("one-side-only", "the shortcut gets no gradient", (Add,), _one_side_only),
)
