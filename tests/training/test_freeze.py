"""What `train.freeze` names stays as it is to the bit, and works as outside of training."""

from copy import deepcopy

import numpy as np
import pytest

from cnnbp.arrays import Arena
from cnnbp.config import parse_config
from cnnbp.errors import ConfigError
from cnnbp.gradcheck import check_layer
from cnnbp.layers import BatchNorm
from cnnbp.layers.batchnorm import FixedBatchNorm
from cnnbp.tape import Tape
from cnnbp.training.loop import train
from cnnbp.training.step import take_step
from tests.training.jobs import config, images, working

LAYERS = (
    {"conv2d": {"name": "conv1", "filters": 2, "kernel": 3, "pad": "same"}},
    "batchnorm",
    {"residual": {"name": "block", "layers": [{"conv2d": {"filters": 2, "kernel": 3, "pad": "same"}}, "batchnorm"]}},
    "relu",
    "flatten",
    {"dense": {"name": "out", "units": 2}},
)
FROZEN = {"conv1", "batchnorm1", "conv2d2", "batchnorm2"}
HARD = ({"adamw": {"lr": 0.1, "weight_decay": 0.5}}, {"sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.5}})


@pytest.fixture
def folder(tmp_path):
    return images(tmp_path / "images")


@pytest.mark.parametrize("optimizer", HARD, ids=["adamw", "sgd"])
@pytest.mark.parametrize("threads", [1, 2])
def test_after_three_epochs_the_frozen_are_what_they_were_and_the_others_are_not(folder, optimizer, threads):
    rules = {"epochs": 3, "optimizer": optimizer, "clip_norm": 1.0, "freeze": ["conv1", "batchnorm1", "block"]}
    with working(config(folder, LAYERS, **rules), threads) as (job, state):
        state.running_statistics["batchnorm1"]["running_mean"] += 0.5
        before = deepcopy((dict(state.parameters.named()), state.running_statistics))
        list(train(job, state))
    for name, array in state.parameters.named():
        assert (array.tobytes() == before[0][name].tobytes()) == (name.split(".")[0] in FROZEN), name
    np.testing.assert_equal(state.running_statistics, before[1])
    assert [tensor.name for tensor in state.last_step if tensor.gradient_norm] == ["out.W", "out.b"]


def test_what_is_trained_gets_the_gradient_of_a_network_that_uses_its_running_statistics(folder):
    with working(config(folder, LAYERS, freeze=["block"], batch_size=12, data={"validation": 0})) as (job, state):
        state.running_statistics["batchnorm2"]["running_var"] *= 3
        batch = next(job.batches(0))
        x, statistics = batch.micro_batches[0].x, deepcopy(state.running_statistics)
        take_step(job, state, batch, 0.1)
    tape = Tape(job.config.network, state.parameters, statistics, x, Arena(), keep_everything=True)
    y = tape.forward()
    y_after_training = Tape(job.config.network, state.parameters, statistics, x, Arena(), training=False).forward()
    assert not np.allclose(y, y_after_training)  # batchnorm1 is trained
    node = next(node for node in job.config.network.nodes if node.name == "batchnorm2")
    given, got = tape.values[node.inputs[0]], tape.values[node.index]
    expected = given / np.sqrt(statistics["batchnorm2"]["running_var"] + 1e-5).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_a_fixed_batch_norm_passes_the_gradient_check():
    check_layer(FixedBatchNorm(norm=BatchNorm(), name="n"), (3, 4, 5)).raise_if_wrong()


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        ("[conv1, blok]", 'no layer is called "blok": did you mean "block"?'),
        ("[conv1, out]", "every layer with parameters is frozen: nothing is left to train"),
        ("conv1", "freeze must be a list"),
    ],
)
def test_a_name_that_no_layer_has_and_too_many_names_are_refused(frozen, message):
    text = f"""
input: {{channels: 1, height: 4, width: 4}}
layers: [{{conv2d: {{name: conv1, filters: 1, kernel: 3}}}}, {{residual: {{name: block, layers: [relu]}}}}, flatten,
  {{dense: {{name: out, units: 2}}}}]
loss: cross_entropy
train: {{freeze: {frozen}}}
"""
    with pytest.raises(ConfigError, match="freeze") as caught:
        parse_config(text, "c.yaml")
    assert message in str(caught.value)
