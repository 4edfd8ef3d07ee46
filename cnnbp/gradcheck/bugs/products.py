"""Mistakes that convolutions and dense layers share: in dW, in db, and in what is kept between calls."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, Bug, on_gradient
from cnnbp.layers import Layer
from cnnbp.layers.base import Gradients
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.dense import Dense
from cnnbp.network import Node

BOTH: tuple[type[Layer], ...] = (Conv2d, Dense)


def _has_bias(node: Node) -> bool:
    return "b" in node.parameter_specs


def _last_image_only(step: BackwardPass) -> tuple[Any, Gradients]:
    dx, _ = step.right()
    last = np.zeros_like(step.dy)
    last[..., -1] = step.dy[..., -1]
    _, gradients = step.with_dy(last)
    return dx, {**step.right()[1], "W": gradients["W"]}


def _one_entry_wrong(step: BackwardPass, dW: Array) -> Array:
    dW.reshape(-1)[dW.size // 2] *= 1.5
    return dW


def _accumulated(step: BackwardPass) -> tuple[Any, Gradients]:
    dx, gradients = step.right()
    step.memory["dW"] = step.memory.get("dW", 0) + gradients["W"]
    return dx, {**gradients, "W": step.memory["dW"]}


def _cache_changed(step: BackwardPass) -> tuple[Any, Gradients]:
    result = step.right()
    step.x[...] *= 0.5  # what forward kept
    return result


def _stale(step: BackwardPass) -> tuple[Any, Gradients]:
    _, gradients = step.right()
    W = step.memory.setdefault("W", step.params["W"].copy())
    dx, _ = step.with_params(W=W)
    return dx, gradients


def _dW(name: str, story: str, change: Callable[[BackwardPass, Array], Array]) -> Bug:
    return Bug(f"dW-{name}", story, BOTH, on_gradient("W", change))


def _db(name: str, story: str, change: Callable[[BackwardPass, Array], Array]) -> Bug:
    return Bug(f"db-{name}", story, BOTH, on_gradient("b", change), _has_bias)


PRODUCT_BUGS = (
    _dW("extra-1/M", "dW divided by M once more", lambda step, dW: dW / step.images),
    Bug("dW-last-image", "dW of the last image instead of the sum over all", BOTH, _last_image_only),
    _dW("one-entry", "a single entry of dW is wrong", _one_entry_wrong),
    _dW("one-millionth", "dW is 1.000001 times what it should be", lambda step, dW: dW * (1 + 1e-6)),
    _dW("float32", "dW went through float32", lambda step, dW: dW.astype(np.float32).astype(dW.dtype)),
    _db("averaged", "the mean over the images instead of the sum", lambda step, db: db / step.images),
    _db("zero", "db was never computed", lambda step, db: np.zeros_like(db)),
    _db("doubled", "db was added twice", lambda step, db: 2 * db),
    Bug("dX-stale-W", "dX from the W of an earlier step", BOTH, _stale),
    Bug("accumulates", "dW adds up from call to call", BOTH, _accumulated),
    Bug("cache-changed", "backward works in place on what forward kept", BOTH, _cache_changed),
)
