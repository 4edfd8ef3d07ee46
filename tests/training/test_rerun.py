"""What is run once more is what the engine ran: the same losses and the same gradient, to the bit."""

import numpy as np
import pytest
from cnnbp.training.rerun import Rerun

from tests.training.jobs import config, images, working

LAYERS = (
    {"conv2d": {"name": "conv1", "filters": 8, "kernel": 5, "pad": "same"}},
    "batchnorm",
    "relu",
    {"dropout": {"p": 0.3}},
    {"residual": {"layers": [{"conv2d": {"filters": 8, "kernel": 3, "pad": "same"}}, "batchnorm", "relu"]}},
    "global_avgpool2d",
    "flatten",
    {"dense": {"units": 2}},
)


def turned(rerun):
    for node in rerun.job.config.network.nodes:
        rerun.forward(node)
    return np.concatenate(rerun.turn())


@pytest.fixture
def step(tmp_path):
    """A job, its first state and a batch of several micro-batches."""
    settings = config(images(tmp_path / "images", (16, 16), 96), LAYERS, side=96, batch_size=24)
    with working(settings, threads=2) as (job, state):
        batch = next(job.batches(0)).micro_batches
        assert len(batch) > 1
        yield job, state, batch


def test_it_gives_the_losses_and_the_gradient_of_the_step(step):
    job, state, batch = step
    state.step = 5
    expected = job.engine.step(state.parameters, state.running_statistics, batch, 5)
    rerun = Rerun(job, state, batch)
    np.testing.assert_array_equal(turned(rerun), expected.losses)
    slopes = {node.name: rerun.backward(node) for node in reversed(job.config.network.nodes)}
    np.testing.assert_array_equal(rerun.gradient().vector, expected.gradient.vector)
    np.testing.assert_array_equal(slopes["conv1"]["W"], expected.gradient["conv1"]["W"])


def test_outside_of_training_it_gives_the_losses_of_use(step):
    job, state, batch = step
    expected = job.engine.infer(state.parameters, state.running_statistics, batch)
    np.testing.assert_array_equal(turned(Rerun(job, state, batch, training=False)), expected.losses)
