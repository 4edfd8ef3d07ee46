"""Each operation of a plan beside its layers: what is seen, and what must not be taken for a fault."""

from dataclasses import replace

import numpy as np
import pytest

from cnnbp.fast import Operation, Plan, plan_for
from cnnbp.gradcheck.operations import compare_operations
from cnnbp.gradcheck.workers import Workers
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, MaxPool2d, ReLU
from tests.gradcheck.points import point

SINGLE = np.dtype(np.float32)
LAYERS = (
    Conv2d(filters=16, kernel=3, pad="same"),
    ReLU(),
    MaxPool2d(kernel=2),
    Conv2d(filters=16, kernel=3, pad="same"),
    BatchNorm(),
    ReLU(),
    Flatten(),
    Dense(units=3),
)
SIZE = 8


def here(layers=LAYERS):
    return point(layers, shape=(1, 16, 16), images=4).jittered(0).astype(np.float32)


def compared(at, change=lambda operation: operation, size=SIZE):
    plan = plan_for(at.network, size, SINGLE)
    with Workers(1) as workers:
        return list(compare_operations(at, Plan(tuple(map(change, plan.operations))), size, workers))


@pytest.mark.parametrize("size", [1, 2, SIZE, 11])
def test_in_micro_batches_of_any_size_all_are_right(size):
    found = compared(here(), size=size)
    assert [str(deviation) for deviation in found if deviation.wrong] == []
    assert {deviation.node for deviation in found} >= {"conv2d1", "conv2d2", "batchnorm1", "dense1"}


@pytest.mark.parametrize("rows", [3, 4, 5, 6, 7])
def test_winograds_kernel_makes_about_the_roundings_that_it_is_allowed(rows):
    layers = (Conv2d(filters=16, kernel=3, pad="same"), Conv2d(filters=16, kernel=(rows, 3), pad="same"), Flatten())
    at = point((*layers, Dense(units=3)), shape=(1, 20, 12), images=3).astype(np.float32)
    units = {
        (deviation.kernel, deviation.tensor): (deviation.units, deviation.allowed)
        for deviation in compared(at, size=16)
        if deviation.node == "conv2d2"
    }
    for tensor in ("y", "dx", "dW"):
        found, allowed = units["winograd", tensor]
        assert 5 < found < allowed / 2


def test_every_tensor_is_compared_and_no_gradient_of_the_images():
    tensors = {}
    for deviation in compared(here()):
        tensors.setdefault(deviation.node, []).append(deviation.tensor)
    assert tensors["conv2d1"] == ["y", "dW", "db"]
    assert tensors["conv2d2"] == ["y", "dx", "dW", "db"]


def test_ties_and_kinks_that_rounding_may_turn_are_no_fault():
    at = here()
    at.x[...] = np.round(at.x)
    at.params.vector[...] = np.round(4 * at.params.vector) / 4
    assert not any(deviation.wrong for deviation in compared(at))
    at.x[...] = 0.1 + 1e-9 * at.x  # nearly flat: each window's winner is rounding's choice
    assert not any(deviation.wrong for deviation in compared(at))


class Wrapping:
    """Hands all on to a replacement."""

    def __init__(self, layer):
        self.layer, self.roundings = layer, layer.roundings

    def forward(self, params, x, ctx):
        return self.layer.forward(params, x, ctx)

    def backward(self, params, cache, dy, ctx):
        return self.layer.backward(params, cache, dy, ctx)


def changed(name, kind):
    """Return a change of the operation of one node."""

    def change(operation: Operation):
        return replace(operation, layer=kind(operation.layer)) if operation.owner.name == name else operation

    return change


class ReadsWhatLiesThere(Wrapping):
    """Adds up in memory that it has not cleared."""

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        return dx + 0 * ctx.empty(dx.shape, dx.dtype), gradients


class ForgetsToWrite(Wrapping):
    """Leaves the memory for dW as it is."""

    def backward(self, params, cache, dy, ctx):
        ctx.accumulators = {**ctx.accumulators}
        given = ctx.accumulators.pop("W")
        dx, gradients = super().backward(params, cache, dy, ctx)
        return dx, {**gradients, "W": given}


class OneImage(Wrapping):
    """Takes a neighbour's place for the sixth image's."""

    def forward(self, params, x, ctx):
        y, cache = super().forward(params, x, ctx)
        if y.ndim == 2:
            y[:, 5] = y[:, 6]
        return y, cache


@pytest.mark.parametrize(
    ("name", "kind", "tensor"),
    [
        ("batchnorm1", ReadsWhatLiesThere, "dx"),
        ("dense1", ForgetsToWrite, "dW"),
        ("dense1", OneImage, "y"),
    ],
)
def test_what_only_some_memory_or_some_image_shows_is_seen(name, kind, tensor):
    wrong = [deviation for deviation in compared(here(), changed(name, kind)) if deviation.wrong]
    assert {(deviation.node, deviation.tensor) for deviation in wrong} == {(name, tensor)}
