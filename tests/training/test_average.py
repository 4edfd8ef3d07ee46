"""`train.ema`: the running average of all parameters is what validates, and what a run is used with."""

import numpy as np
import pytest

import cnnbp
from cnnbp.training.checkpoint import load_checkpoint, save_checkpoint
from cnnbp.training.loop import train
from cnnbp.training.step import take_step
from cnnbp.training.trained import load_trained
from tests.cli.command import cnnbp as command
from tests.training.jobs import checkpoint, config, images, trained, working


@pytest.fixture
def folder(tmp_path):
    return images(tmp_path / "images", (10, 10))


def test_it_is_what_the_recurrence_gives_step_by_step(folder):
    with working(config(folder, ema=0.6, batch_size=2, optimizer={"sgd": {"lr": 0.3}})) as (job, state):
        mean = {name: array.astype(np.float64) for name, array in state.parameters.named()}
        variance = state.running_statistics["batchnorm1"]["running_var"].copy()
        for steps, batch in enumerate(job.batches(0), 1):
            take_step(job, state, batch, 0.3)
            d = min(0.6, (1 + steps) / (10 + steps))
            mean = {name: d * mean[name] + (1 - d) * array for name, array in state.parameters.named()}
            variance = d * variance + (1 - d) * state.running_statistics["batchnorm1"]["running_var"]
    assert steps == 8
    for name, array in state.as_evaluated().parameters.named():
        np.testing.assert_allclose(array, mean[name], rtol=1e-5, atol=1e-7)
        assert not np.array_equal(array, dict(state.parameters.named())[name])
    np.testing.assert_allclose(state.as_evaluated().running_statistics["batchnorm1"]["running_var"], variance)


def test_it_validates_and_training_itself_does_not_see_it(folder):
    (plain, without), (averaged, with_it) = (trained(config(folder, ema=ema)) for ema in (None, 0.9))
    assert plain.parameters == averaged.parameters
    assert [event.metrics.train_loss for event in without] == [event.metrics.train_loss for event in with_it]
    assert without[-1].metrics.val_loss != with_it[-1].metrics.val_loss


def test_a_state_that_was_written_goes_on_to_the_same_bits(folder, tmp_path):
    with working(config(folder, ema=0.9)) as (job, state):
        events = train(job, state)
        for _ in range(3):
            next(events)
        save_checkpoint(tmp_path / "c.npz", checkpoint(job, state))
        list(events)
        resumed = load_checkpoint(tmp_path / "c.npz").state
        list(train(job, resumed))
    assert resumed.average
    assert state.average
    assert resumed.parameters == state.parameters
    assert resumed.average.parameters == state.average.parameters
    np.testing.assert_equal(resumed.average.running_statistics, state.average.running_statistics)


def test_whoever_uses_the_run_gets_it(folder, tmp_path):
    (tmp_path / "c.yaml").write_text(cnnbp.config.dump_config(config(folder, ema=0.9)))
    assert command("train", "c.yaml", "--run", "run", "--no-plots", cwd=tmp_path)[0] == 0
    best = load_checkpoint(tmp_path / "run/checkpoints/best.npz").state
    assert load_trained(tmp_path / "run").checkpoint.state.parameters == best.average.parameters
    assert command("export", "run", "--to", "npz", "-o", "w.npz", cwd=tmp_path)[0] == 0
    with np.load(tmp_path / "w.npz") as exported:
        for name, array in best.average.parameters.named():
            np.testing.assert_array_equal(exported[name], array)
        np.testing.assert_allclose(
            exported["batchnorm1.running_var"], best.average.running_statistics["batchnorm1"]["running_var"], rtol=1e-6
        )


def test_it_may_begin_and_end_when_a_run_goes_on(folder, tmp_path):
    (tmp_path / "c.yaml").write_text(cnnbp.config.dump_config(config(folder)))
    assert command("train", "c.yaml", "--run", "run", "--no-plots", cwd=tmp_path)[0] == 0
    for epochs, ema in ((3, "0.9"), (4, "null")):
        going_on = ["train", "--resume", "run", f"train.epochs={epochs}", f"train.ema={ema}", "--no-plots"]
        code, _, errors = command(*going_on, cwd=tmp_path)
        assert (code, "train.ema: " in errors) == (2, True)
        code, _, errors = command(*going_on, "--allow-changes", cwd=tmp_path)
        assert code == 0, errors
        assert (load_checkpoint(tmp_path / "run/checkpoints/last.npz").state.average is None) == (ema == "null")
