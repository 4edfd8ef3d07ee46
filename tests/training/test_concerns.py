"""Warnings: their thresholds by hand, and each provoked by a real network."""

import json

import numpy as np
import pytest

from cnnbp.training.concerns import DeadChannels, concerns, look_at_outputs
from cnnbp.training.state import EpochMetrics, TensorStep
from tests.cli.command import ROOT
from tests.training.jobs import config, images, trained, working
from tests.training.runs import train as run_train


def weights(name, gradient=0.1, update=1e-3):
    return TensorStep(name, (1,), 1.0, gradient, 0.0, 0.0, update)


def found(tensors=(), dead=(), *, factor=1.0, loss=0.5, epoch=5):
    metrics = EpochMetrics(epoch, 0.5, 0.5, loss, 0.5, 0.1, 1.0, 1e-3)
    return [(c.kind, c.where) for c in concerns([metrics], tensors, dead, rate_factor=factor, chance_loss=0.7)]


def test_a_network_that_learns_well_gives_no_cause():
    assert found([weights("a"), weights("b", 1e-3)], [DeadChannels("relu1", 3, 8, 64)]) == []


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ([weights("a", 1.0), weights("b", 0.9e-3)], [("vanishing gradient", "b")]),
        ([weights("a", 1.0), weights("b", 1.1e-3)], []),
        ([weights("a", 10.1)], [("exploding gradient", "a")]),
        ([weights("a", 9.9)], []),
        ([weights("a", update=0.9e-5)], [("update ratio", "a")]),
        ([weights("a", update=1.1e-5)], []),
        ([weights("a", update=0.11)], [("update ratio", "a")]),
        ([weights("a", update=0.09)], []),
    ],
)
def test_ratios_beyond_a_threshold_are_told(tensors, expected):
    assert found(tensors) == expected


def test_an_update_is_judged_at_the_full_rate_and_not_at_the_end_of_a_cosine():
    assert found([weights("a", update=1.1e-6)], factor=0.1) == []
    assert found([weights("a", update=0.9e-6)], factor=0.1) == [("update ratio", "a")]
    assert found([weights("a", update=1e-12)], factor=1e-6) == []


def test_half_of_the_channels_may_not_be_dead():
    assert found(dead=[DeadChannels("relu1", 4, 8, 64)]) == [("dead ReLU", "relu1")]


def test_a_validation_worse_than_chance_is_told_from_the_second_epoch_on():
    assert found(loss=0.74) == [("worse than chance", "")]
    assert found(loss=0.74, epoch=1) == []
    assert found(loss=0.73) == []  # within a twentieth of chance there is noise


def trend(validation, training=(), *, accuracies=(), keep="loss"):
    """Return what is told after the last of some epochs, whose training loss falls if nothing else is said."""
    training = training or [1 / n for n, _ in enumerate(validation, 1)]
    accuracies = accuracies or [0.5] * len(validation)
    history = [
        EpochMetrics(n, loss, 0.5, held_out, right, 0.1, 1.0, 1e-3)
        for n, (loss, held_out, right) in enumerate(zip(training, validation, accuracies, strict=True), 1)
    ]
    return {c.kind: c.reason for c in concerns(history, [], [], rate_factor=1.0, chance_loss=9.0, keep=keep)}


RISING = (0.5, 0.51, 0.52, 0.53, 0.54, 0.56)


def test_a_validation_loss_that_rises_while_the_training_loss_falls_is_overfitting():
    reason = trend(RISING)["overfitting"]
    assert reason == (
        "validation loss has risen for 5 epochs, from 0.5 to 0.56, while training loss fell from 1 to 0.1667"
    )
    assert "overfitting" in trend((0.6, *RISING))


@pytest.mark.parametrize(
    ("validation", "training"),
    [
        (RISING[1:], ()),  # for four epochs
        ((0.5, 0.51, 0.52, 0.52, 0.54, 0.56), ()),  # not in each of them
        ((0.5, 0.51, 0.52, 0.53, 0.54, 0.549), ()),  # by less than a tenth
        (RISING, (0.5,) * 6),  # while the training loss stays
        ((None,) * 6, ()),
    ],
)
def test_less_than_that_is_no_overfitting(validation, training):
    accuracies = [None if loss is None else 0.5 for loss in validation]
    assert trend(validation, training, accuracies=accuracies) == {}


def test_a_best_epoch_that_is_long_ago_is_told_by_what_is_kept():
    late = [0.9, 0.8, 0.5, *[0.51] * 10]
    reason = "epoch 3 is the best by loss, 10 epochs ago; train.early_stopping ends what does not help"
    assert trend(late) == {"best epoch long ago": reason}
    assert trend(late[:-1]) == {}
    assert trend([*[0.9] * 10, 0.5, *[0.51] * 10]) == {}  # as many up to it as after it are needed
    assert trend(late, accuracies=[*[0.5] * 12, 0.6], keep="accuracy") == {}
    assert "by accuracy" in trend(late, accuracies=[0.6, *[0.5] * 12], keep="accuracy")["best epoch long ago"]


@pytest.fixture
def folder(tmp_path):
    return images(tmp_path / "images", (20, 20), 8)


def provoked(folder, layers, **options):
    """Train a real network and return what was told, as (kind, where), with the reasons."""
    _, events = trained(config(folder, layers, side=8, **{"epochs": 3, **options}))
    told = [concern for event in events for concern in event.concerns]
    return {(concern.kind, concern.where): concern.reason for concern in told}


OUT = {"dense": {"name": "out", "units": 2}}
CONV = {"conv2d": {"name": "conv1", "filters": 8, "kernel": 3}}


def test_biases_pushed_down_by_a_huge_step_kill_a_relu(folder):
    told = provoked(folder, (CONV, "relu", "flatten", OUT), optimizer={"adam": {"lr": 1.0}})
    assert "of 8 channels are 0 for all 4 images of the last whole batch" in told["dead ReLU", "relu1"]


def test_a_last_batch_of_one_image_kills_no_relu(tmp_path):
    """33 images in batches of 8: one is left, for which many of the hidden units say nothing."""
    folder = images(tmp_path / "images", (17, 16), 8)
    layers = ("flatten", {"dense": {"units": 64}}, "relu", OUT)
    told = provoked(folder, layers, batch_size=8, data={"validation": 0})
    assert ("dead ReLU", "relu1") not in told


def test_a_stack_of_sigmoids_lets_the_gradient_vanish(folder):
    layers = ["flatten"]
    for _ in range(8):
        layers += [{"dense": {"units": 16}}, "sigmoid"]
    told = provoked(folder, (*layers, OUT))
    assert any(kind == "vanishing gradient" and where.startswith("dense1") for kind, where in told)
    assert "‖∂L/∂W‖/‖W‖ is" in told["vanishing gradient", "dense1.W"]


def test_images_far_too_large_let_the_gradient_explode(folder):
    told = provoked(folder, ("flatten", OUT), data={"normalize": {"std": 1e-3}}, optimizer={"sgd": {"lr": 1e-9}})
    assert ("exploding gradient", "out.W") in told


@pytest.mark.parametrize("lr", [1e-7, 3.0])
def test_a_rate_that_is_far_too_low_or_too_high_shows_in_the_updates(folder, lr):
    told = provoked(folder, (CONV, "relu", "flatten", OUT), optimizer={"adam": {"lr": lr}}, batch_size=64)
    assert "at the full learning rate; about 0.001 is usual" in told["update ratio", "out.W"]


def test_noise_learned_by_heart_validates_worse_than_chance(folder):
    layers = ("flatten", {"dense": {"units": 64}}, "relu", OUT)
    told = provoked(folder, layers, optimizer={"adam": {"lr": 0.03}}, epochs=20)
    assert "equally probable classes have 0.6931" in told["worse than chance", ""]


@pytest.mark.parametrize("name", ["digits", "lecture"])
def test_the_configurations_that_come_along_give_no_cause(name, tmp_path):
    assert run_train(ROOT / f"configs/{name}.yaml", "--run", tmp_path / "run", cwd=tmp_path)[0] == 0
    assert json.loads((tmp_path / "run/summary.json").read_text())["concerns"] == []


def test_the_command_prints_each_kind_once_for_a_place(folder, tmp_path):
    settings = tmp_path / "job.yaml"
    settings.write_text(
        f"input: {{channels: 1, height: 8, width: 8}}\ndata: {{path: {folder}}}\n"
        "layers: [flatten, {dense: {name: out, units: 2}}]\nloss: cross_entropy\n"
        "train: {epochs: 3, optimizer: {adam: {lr: 1e-8}}}\n"
    )
    code, _, err = run_train(settings, "--run", tmp_path / "run", cwd=tmp_path)
    assert code == 0
    [line] = [line for line in err.splitlines() if line.startswith("warning: update ratio in out.W, epoch 1: ")]
    assert "‖ΔW‖/‖W‖ is " in line
    told = json.loads((tmp_path / "run/summary.json").read_text())["concerns"]
    assert [concern["kind"] for concern in told].count("update ratio") == 1
    assert np.isfinite(told[0]["epoch"])


@pytest.mark.parametrize(("std", "far"), [(1.0, False), (0.001, True)])
def test_an_initial_loss_far_from_chance_gets_a_word(folder, tmp_path, std, far):
    settings = tmp_path / "job.yaml"
    settings.write_text(
        f"input: {{channels: 1, height: 8, width: 8}}\ndata: {{path: {folder}, normalize: {{mean: 0.5, std: {std}}}}}\n"
        "layers: [flatten, {dense: {name: out, units: 2}}]\nloss: cross_entropy\ntrain: {epochs: 1}\n"
    )
    code, out, _ = run_train(settings, "--run", tmp_path / "run", cwd=tmp_path)
    assert code == 0
    [line] = [line for line in out.splitlines() if line.startswith("initial loss ")]
    assert "and ln(2) = 0.6931 when all classes are equally probable" in line
    assert ("far off" in line) == far


LAYERS = (
    {"conv2d": {"name": "conv1", "filters": 3, "kernel": 3}},
    "batchnorm",
    "relu",
    "flatten",
    {"dropout": {"p": 0.9}},
    {"dense": {"name": "hidden", "units": 5}},
    "relu",
    {"dense": {"units": 2}},
)


def counted(folder, spoil=lambda state: None):
    with working(config(folder, LAYERS, batch_size=8)) as (job, state):
        spoil(state)
        return look_at_outputs(job, state, next(job.batches(0)))[0]


def test_channels_that_are_0_for_every_image_and_place_are_counted(tmp_path):
    def spoil(state):
        state.parameters["batchnorm1"]["beta"][:2] = -100
        state.parameters["hidden"]["b"][...] = [-100, 100, 100, -100, -100]

    folder = images(tmp_path / "images")
    assert counted(folder, spoil) == (DeadChannels("relu1", 2, 3, 8), DeadChannels("relu2", 3, 5, 8))


def test_dropout_kills_nothing(tmp_path):
    def spoil(state):
        state.parameters["hidden"]["W"][...] = np.abs(state.parameters["hidden"]["W"])
        state.parameters["batchnorm1"]["beta"][...] = 1

    assert [relu.dead for relu in counted(images(tmp_path / "images"), spoil)] == [0, 0]


def test_a_network_without_relu_is_not_run(tmp_path):
    with working(config(images(tmp_path / "images"), ("flatten", {"dense": {"units": 2}}))) as (job, state):
        assert look_at_outputs(job, state, next(job.batches(0)))[0] == ()
