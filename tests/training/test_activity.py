import numpy as np

from cnnbp.training.activity import DeadChannels, dead_channels
from tests.training.jobs import config, images, working

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
        return dead_channels(job, state, next(job.batches(0)))


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
        assert dead_channels(job, state, next(job.batches(0))) == ()
