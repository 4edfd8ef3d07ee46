import numpy as np
import pytest

from cnnbp.gradcheck import check_network
from cnnbp.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, MaxPool2d, ReLU, Residual
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy
from cnnbp.network import Network


def lecture():
    layers = [Conv2d(filters=1, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=1)]
    return Network((1, 6, 6), layers), BinaryCrossEntropy()


def branching():
    block = Residual(layers=(Conv2d(filters=3, kernel=3, pad="same"), BatchNorm(), ReLU()))
    layers = [Conv2d(filters=3, kernel=3), block, MaxPool2d(kernel=2), Flatten(), Dropout(p=0.3), Dense(units=3)]
    return Network((2, 7, 6), layers), CrossEntropy()


def check(network, loss, images=4):
    rng = np.random.default_rng(1)
    x = rng.random((*network.input_shape, images))
    labels = np.arange(images) % max(network.output_shape[0], 2)
    return check_network(network, loss, network.initial_parameters(0), network.initial_state(), x, labels, entries=1000)


@pytest.mark.parametrize("build", [lecture, branching])
def test_a_correct_network_passes_end_to_end_and_layer_by_layer(build):
    report = check(*build())
    assert report.verdict == "pass"
    assert report.blame == ()
    assert all(tensor.checked == np.prod(tensor.shape) for tensor in report.tensors)


class Doubled(Dense):
    """A dense layer whose backward is wrong."""

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        return dx, {**gradients, "W": 2 * gradients["W"]}


def test_a_wrong_layer_fails_and_is_blamed():
    layers = [Conv2d(filters=1, kernel=3), ReLU(), Flatten(), Doubled(units=1)]
    report = check(Network((1, 6, 6), layers), BinaryCrossEntropy())
    assert report.verdict == "fail"
    assert report.blame == ("dense1",)
