import numpy as np
import pytest

from cnnbp.gradcheck import check_network
from cnnbp.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, MaxPool2d, ReLU, Residual
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy
from cnnbp.network import Network
from tests.checkpoints import undecidable_checkpoint


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


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_point_without_a_gradient_fails_and_says_so_without_a_warning(wrong):
    network, loss = branching()
    params = network.initial_parameters(0, np.float64)
    params["dense1"]["W"][0, 0] = wrong
    x = np.random.default_rng(1).random((*network.input_shape, 3))
    report = check_network(network, loss, params, network.initial_state(), x, np.arange(3))
    assert report.verdict == "fail"
    assert "the loss is NaN or Inf here: there is no gradient" in report.problems


@pytest.mark.parametrize("outgoing", [1e4, 1e6, 1e8])
def test_where_rounding_leaves_no_digits_it_says_neither_right_nor_wrong(outgoing):
    checkpoint = undecidable_checkpoint(outgoing)
    config, state = checkpoint.config, checkpoint.state
    x, labels = np.random.default_rng(0).normal(size=(1, 4, 5, 3)), np.array([0, 1, 0])
    report = check_network(config.network, checkpoint.loss, state.parameters, state.running_statistics, x, labels)
    assert report.verdict == "inconclusive"
    assert {layer.verdict for layer in report.layers} == {"pass"}
    verdicts = {tensor.name: tensor.verdict for tensor in report.tensors}
    assert (verdicts["dense1.W"], verdicts["dense2.W"], verdicts["dense2.b"]) == ("inconclusive", "pass", "pass")


class Transposed(Dense):
    """A dense layer that gives ∂L/∂W in the wrong shape."""

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        return dx, {**gradients, "W": gradients["W"].T}


def test_a_gradient_of_a_wrong_shape_is_blamed_and_the_network_is_left_alone():
    report = check(Network((1, 6, 6), [Flatten(), Transposed(units=2)]), CrossEntropy())
    assert (report.verdict, report.blame, report.tensors, report.float32) == ("fail", ("dense1",), (), None)


def test_tensors_that_are_not_chosen_are_left_out():
    network, loss = branching()
    rng = np.random.default_rng(1)
    x, params = rng.random((*network.input_shape, 3)), network.initial_parameters(0)
    report = check_network(network, loss, params, network.initial_state(), x, np.arange(3), tensors=["dense1.b", "X"])
    assert [tensor.name for tensor in report.tensors] == ["dense1.b", "X"]
    assert [layer.name for layer in report.layers] == ["conv2d1", "dense1", "loss"]


def test_a_chain_that_forgets_gamma_fails_once_gamma_is_moved():
    class Forgetful(BatchNorm):
        """Batch norm whose dX forgets γ."""

        def apply_gradient(self, params, cache, dy, sums, ctx):
            return super().apply_gradient({**params, "gamma": np.ones_like(params["gamma"])}, cache, dy, sums, ctx)

    report = check(
        Network((1, 6, 6), [Conv2d(filters=2, kernel=3), Forgetful(), Flatten(), Dense(units=2)]), CrossEntropy()
    )
    assert {tensor.verdict for tensor in report.tensors} == {"pass"}
    assert {tensor.name for tensor in report.jittered if tensor.verdict == "fail"} == {"conv2d1.W", "X"}
    assert report.blame == ("batchnorm1",)


def test_progress_counts_every_entry():
    seen = []
    network, loss = lecture()
    x, params = np.random.default_rng(1).random((1, 6, 6, 3)), network.initial_parameters(0)
    report = check_network(
        network, loss, params, {}, x, np.array([0, 1, 0]), progress=lambda done, total: seen.append((done, total))
    )
    assert seen == sorted(seen)
    assert seen[-1] == (report.checked, report.checked)
