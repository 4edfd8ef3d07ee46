"""The step that training takes beside the network as it is written: what must pass, and what must be seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnbp.config import load_config
from cnnbp.engine import Engine
from cnnbp.fast import as_written
from cnnbp.fast.kernels import pairs
from cnnbp.gradcheck import Training, check_network
from cnnbp.gradcheck.as_trained import check_as_trained
from cnnbp.gradcheck.bugs import FastBug, plant_in_training
from cnnbp.gradcheck.bugs.replacing import broken_planner
from cnnbp.gradcheck.point import Point
from cnnbp.gradcheck.selftest import trained_networks
from cnnbp.inspect.images import random_images
from cnnbp.layers import AvgPool2d, BatchNorm, Conv2d, Dense, Dropout, Flatten, MaxPool2d, ReLU, Residual
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network
from tests.gradcheck.points import point
from tests.gradcheck.soak import CONDITIONS, soak_as_trained

CONFIGS = Path(__file__).parents[2] / "configs"


def configured(name, **overrides):
    config = load_config(CONFIGS / f"{name}.yaml", [f"{key.replace('__', '.')}={v}" for key, v in overrides.items()])
    images, network = random_images(config, 4), config.network
    loss = config.loss.balanced(images.class_counts)
    at = Point(network, loss, network.initial_parameters(0), network.initial_state(), images.x, images.labels)
    return at, Training.of(network, config.train.batch_size, config.train.planner)


@pytest.mark.parametrize("name", ["lecture", "digits", "lenet", "cats_dogs", "residual"])
def test_the_configurations_that_come_along_pass(name):
    at, training = configured(name)
    found = check_as_trained(at, training)
    assert (found.verdict, found.blame, found.hint) == ("pass", (), None)
    assert 0 < found.worst.units < found.worst.allowed
    assert {deviation.node for deviation in found.operations} == set(found.kernels)


def test_random_networks_of_the_size_of_trained_ones_raise_no_alarm():
    tallies = soak_as_trained(range(2 * len(CONDITIONS)))
    assert {name: tally.alarms for name, tally in tallies.items()} == {c.__name__: 0 for c in CONDITIONS}


SHAPED = (
    Residual(layers=[Conv2d(filters=2, kernel=3, pad="same"), BatchNorm(), ReLU()]),
    MaxPool2d(kernel=2),
    Dropout(p=0.4),
    AvgPool2d(kernel=2),
    Flatten(),
    Dense(units=3),
)


@pytest.mark.parametrize(("batch", "micro_batch"), [(1, 1), (2, 1), (3, 3), (20, 8), (21, 4)])
@pytest.mark.parametrize("layers", [SHAPED, (ReLU(), *SHAPED), (MaxPool2d(kernel=3, stride=2), *SHAPED[2:])])
def test_batches_of_any_size_pass_whatever_reads_the_images(layers, batch, micro_batch):
    at = point(layers, shape=(2, 9, 10))
    found = check_as_trained(at, Training(batch, micro_batch))
    assert found.verdict == "pass", found.hint


def test_the_fewest_images_with_all_kernels_are_compared_end_to_end():
    at, training = configured("cats_dogs", train__batch_size=100)
    count, size = training.compared(at.network)
    assert (training.micro_batch, training.micro_batches, count) == (16, 7, 5)
    assert set(training.kernels(at.network, size).values()) == set(training.kernels(at.network).values())
    assert set(training.kernels(at.network, size // 2).values()) != set(training.kernels(at.network).values())


def test_what_is_trained_as_written_has_no_kernels_and_passes():
    at, _ = configured("digits")
    found = check_as_trained(at, Training.of(at.network, 32, as_written))
    assert (found.verdict, found.kernels, found.operations) == ("pass", {}, ())
    assert len(found.step) > 10


def strips():
    return trained_networks()["strips"]


def planted(spelling):
    network, loss, training = strips()
    at = point(shape=(1, 16, 16))
    at = replace(at, network=network, loss=loss, params=network.initial_parameters(1), state=network.initial_state())
    return at, plant_in_training(network, training, spelling)


def test_a_wrong_kernel_is_blamed_with_its_node_and_the_layer_alone_is_not():
    network, loss, _ = strips()
    at, training = planted("conv2d2:fast-dW-scaled")
    report = check_network(network, loss, at.params, at.state, at.x, at.labels, entries=3, training=training)
    assert (report.verdict, report.blame) == ("fail", ("conv2d2",))
    assert report.hint == "as trained, conv2d2 (winograd): dW is -3 times what it should be"
    assert {layer.verdict for layer in report.layers} == {"pass"}


def test_a_kernel_that_is_wrong_in_float64_too_is_blamed_and_not_only_its_sums(monkeypatch):
    right = pairs.give_back

    def doubled(winners, dy, dz, rows):
        right(winners, 2 * dy, dz, rows)

    monkeypatch.setattr(pairs, "give_back", doubled)
    at, training = configured("lecture")
    report = check_network(at.network, at.loss, at.params, at.state, at.x, at.labels, entries=3, training=training)
    assert "do not sum to the batch's" in report.problems[0]
    assert report.blame == ("maxpool2d1",)


def test_what_is_wrong_between_operations_is_the_engines():
    found = check_as_trained(*planted("engine:gradient-twice"))
    assert found.blame == ("engine",)
    assert not any(deviation.wrong for deviation in found.operations)
    assert found.worst.tensor.startswith("∂L/∂")


def test_where_the_network_as_it_is_written_is_wrong_there_is_nothing_to_compare_with():
    class Doubled(Dense):
        def backward(self, params, cache, dy, ctx):
            dx, gradients = super().backward(params, cache, dy, ctx)
            return dx, {**gradients, "W": 2 * gradients["W"]}

    network = Network((1, 3, 3), [Flatten(), Doubled(units=2)])
    x, state = np.random.default_rng(0).normal(size=(1, 3, 3, 3)), network.initial_state()
    params, labels = network.initial_parameters(0), np.array([0, 1, 0])
    report = check_network(network, CrossEntropy(), params, state, x, labels, training=Training(4, 4))
    assert (report.blame, report.as_trained) == (("dense1",), None)


def test_a_layer_as_written_that_is_wrong_in_float32_alone_is_blamed_end_to_end():
    class Coarse(Flatten):
        def backward(self, params, cache, dy, ctx):
            dx, gradients = super().backward(params, cache, dy, ctx)
            return dx.astype(np.float16).astype(dx.dtype) if dx.dtype == np.float32 else dx, gradients

    at = point((Conv2d(filters=2, kernel=3), Coarse(), Dense(units=3)))
    found = check_as_trained(at, Training(6, 3))
    assert found.blame == ("flatten1",)
    assert found.worst.tensor == "dx"


def test_only_what_concerns_some_nodes_can_be_asked_for():
    at, training = configured("digits")
    found = check_as_trained(at, training).only([at.network.nodes[3]])
    assert {deviation.node for deviation in (*found.operations, *found.step)} == {"conv2"}


class Crashing(Engine):
    """An engine that adds up what does not fit."""

    def step(self, *arguments):
        raise ValueError("operands could not be broadcast")


def mistaken(**how):
    training = strips()[2]
    return replace(training, planner=broken_planner(training.planner, "conv2d2", FastBug("", "", KERNELS, **how)))


KERNELS = tuple(word for kernel in strips()[2].kernels(strips()[0]).values() for word in kernel.split(", "))


def raises(step):
    raise ValueError("shapes (3,4) and (5,) do not fit")


@pytest.mark.parametrize(
    ("how", "hint"),
    [
        ({"forward": raises}, "y raises ValueError: shapes (3,4) and (5,) do not fit"),
        ({"backward": raises}, "dx raises ValueError: shapes (3,4) and (5,) do not fit"),
        ({"backward": lambda step: (step.right()[0][:-1], step.right()[1])}, "dx has the shape"),
    ],
    ids=["forward", "backward", "another shape"],
)
def test_a_replacement_that_raises_is_wrong_and_named(how, hint):
    at, _ = planted("conv2d2:")
    found = check_as_trained(at, mistaken(**how))
    assert (found.verdict, found.blame) == ("fail", ("conv2d2",))
    assert found.hint.startswith(f"as trained, conv2d2 ({found.kernels['conv2d2']}): {hint}")


class Stumbling(Dense):
    """A layer that raises in float32, as it trains."""

    def forward(self, params, x, ctx):
        if x.dtype == np.float32:
            raise TypeError("float32 is not for me")
        return super().forward(params, x, ctx)


def test_a_layer_that_raises_on_the_way_is_named():
    at = point((Conv2d(filters=2, kernel=3), Flatten(), Stumbling(units=3)), shape=(1, 6, 6))
    found = check_as_trained(at, Training(batch=4, micro_batch=2, planner=as_written))
    assert (found.verdict, found.blame) == ("fail", (at.network.nodes[-1].name,))
    assert found.hint.endswith("step raises TypeError: float32 is not for me")


def test_a_step_that_raises_is_the_engines_fault():
    at, _ = planted("conv2d2:")
    found = check_as_trained(at, replace(strips()[2], engine=Crashing))
    assert (found.verdict, found.blame) == ("fail", ("engine",))
    assert found.hint == "as trained, engine: step raises ValueError: operands could not be broadcast"


class Homeless(Engine):
    def step(self, *arguments):
        raise MemoryError


def test_a_lack_of_memory_is_nobodys_mistake():
    at, _ = planted("conv2d2:")
    with pytest.raises(MemoryError):
        check_as_trained(at, replace(strips()[2], engine=Homeless))
