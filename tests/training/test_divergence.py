"""A NaN or an infinity is traced to where it came from: layer, tensor, direction, images."""

import json

import numpy as np
import pytest

from cnnbp.training.divergence import TrainingDiverged
from cnnbp.training.loop import train
from cnnbp.training.step import take_step
from tests.training.jobs import config, images, working
from tests.training.runs import train as run_train
from tests.training.runs import write_job

CONV, OUT = {"conv2d": {"name": "conv1", "filters": 2, "kernel": 3}}, {"dense": {"name": "out", "units": 2}}


def diverge(folder, layers, *, spoil=lambda state: None, lr=0.1, **options):
    """Take a step that cannot be taken, and return what is said about it."""
    with working(config(folder, layers, **options)) as (job, state):
        spoil(state)
        with pytest.raises(TrainingDiverged) as error:
            take_step(job, state, next(job.batches(0)), lr)
    return error.value


@pytest.fixture
def folder(tmp_path):
    return images(tmp_path / "images")


def test_a_value_that_overflows_forward_is_named_with_its_layer(folder):
    def spoil(state):
        state.parameters["out"]["W"][...] = 3e38

    error = diverge(folder, (CONV, "relu", "flatten", OUT), spoil=spoil)
    found = error.divergence.found
    assert (found.direction, found.layer, found.tensor) == ("forward", "out", "output")
    assert 0 < found.bad <= found.size == 2 * 4
    assert 'first bad tensor: output of "out", forward' in str(error)


def test_the_first_of_several_bad_layers_is_named(folder):
    def spoil(state):
        state.parameters["conv1"]["W"][...] = 3e38
        state.parameters["out"]["W"][...] = 3e38

    assert diverge(folder, (CONV, "relu", "flatten", OUT), spoil=spoil).divergence.found.layer == "conv1"


def test_a_gradient_that_overflows_is_named_with_its_parameter(folder):
    """Forward all is finite, for conv1 gives numbers near 1e-24; backward out.W makes them huge."""

    def spoil(state):
        state.parameters["conv1"]["W"][...] *= 1e-33
        state.parameters["out"]["W"][...] *= 1e33

    found = diverge(folder, (CONV, "flatten", OUT), spoil=spoil, data={"normalize": {"std": 1e-9}}).divergence.found
    assert (found.direction, found.layer, found.tensor) == ("backward", "conv1", "∂L/∂W")


def test_a_gradient_that_is_finite_but_too_long_is_named_too(folder):
    def spoil(state):
        state.parameters["out"]["W"][...] *= 1e22
        state.parameters["conv1"]["W"][...] *= 1e-22

    error = diverge(folder, (CONV, "flatten", OUT), spoil=spoil)
    assert (error.divergence.found.layer, error.divergence.found.tensor) == ("conv1", "(∂L/∂W)²")


def test_all_images_of_the_batch_are_listed_and_some_are_shown(folder):
    def spoil(state):
        state.parameters["out"]["W"][...] = np.nan

    error = diverge(folder, (CONV, "flatten", OUT), spoil=spoil, batch_size=10)
    assert error.divergence.found.direction == "update"
    assert len(error.divergence.files) == 10
    assert set(error.divergence.files) <= {f"{label}/{number}.png" for label in "ab" for number in range(6)}
    assert "and 5 more" in str(error)


@pytest.mark.parametrize("between", [(), ("batchnorm",)])
def test_with_dropout_and_a_cut_batch_the_second_run_drops_what_the_first_one_did(tmp_path, between):
    """One weight in 512 is bad and dropout hides most of them: only the same streams meet the same ones."""
    side = 96
    layers = ({"conv2d": {"name": "conv1", "filters": 8, "kernel": 5}}, "relu", *between, {"maxpool2d": {"kernel": 4}})
    layers = (*layers, "flatten", {"dropout": {"name": "drop", "p": 0.99}}, OUT)
    settings = config(images(tmp_path / "large", (8, 8), side), layers, side=side, batch_size=12)
    with working(settings, threads=2) as (job, state):
        batch = next(job.batches(0))
        assert len(batch.micro_batches) > 1
        weights, outcomes = state.parameters["out"]["W"], set()
        for place in range(0, weights.shape[1], 40):
            copy = state.copy()
            copy.parameters["out"]["W"][:, place] = 3e38
            try:
                take_step(job, copy, batch, 1e-9)
            except TrainingDiverged as error:
                outcomes.add(error.divergence.found is not None)
    assert outcomes == {True}


def test_a_validation_that_overflows_is_traced_to_its_layer_and_files(folder):
    """The running variance makes outputs huge that the batch's own statistics keep small."""

    def spoil(state):
        state.running_statistics["batchnorm1"]["running_mean"][...] = 1e38
        state.running_statistics["batchnorm1"]["running_var"][...] = 0

    layers = (CONV, {"batchnorm": {"momentum": 1e-9}}, "flatten", OUT)
    with working(config(folder, layers)) as (job, state):
        spoil(state)
        with pytest.raises(TrainingDiverged, match="the validation loss is") as error:
            for _ in train(job, state):
                pass
        assert set(error.value.divergence.files) <= set(job.datasets.validation.names)
    divergence = error.value.divergence
    assert (divergence.found.direction, divergence.found.layer) == ("forward", "batchnorm1")
    assert divergence.gradient_norm is None
    assert divergence.files


def test_the_command_ends_with_1_and_names_tensor_files_and_the_last_good_checkpoint(tmp_path):
    run = tmp_path / "run"
    arguments = (write_job(tmp_path), "train.optimizer.sgd.lr=1e30", "train.clip_norm=null", "--run", run)
    code, _, err = run_train(*arguments, cwd=tmp_path)
    assert code == 1
    assert "error: training diverged in epoch 1 at step " in err
    assert "first bad tensor: " in err
    assert "images of the batch: " in err
    assert f"last good checkpoint: {run}/checkpoints/last.npz" in err
    assert "Traceback" not in err
    divergence = json.loads((run / "diverged.json").read_text(), parse_constant=pytest.fail)  # no NaN: that is no JSON
    assert len(divergence["files"]) == 16
    assert divergence["found"]["layer"]
