"""Training's look at itself before the first step."""

import pytest

from cnnbp.config import load_config
from cnnbp.errors import WrongStep
from cnnbp.gradcheck.bugs.fast_bugs import FAST_BUGS
from cnnbp.gradcheck.bugs.replacing import broken_planner
from cnnbp.training import loop
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.own_check import check_first_step
from cnnbp.training.state import TrainingState
from tests.cli.command import ROOT


def job(*overrides, name="digits"):
    config = load_config(ROOT / "configs" / f"{name}.yaml", list(overrides))
    return Job.of(config, load_datasets(config), threads=2)


def test_the_first_step_on_real_images_is_right():
    at = job()
    with at.engine:
        found = check_first_step(at, TrainingState.initial(at.config))
    assert found.verdict == "pass"
    assert set(found.kernels) == {"conv1", "conv2", "dense1"}


def test_a_run_that_was_stopped_while_it_validated_is_looked_at_too():
    """All steps of its epoch are taken: the next one is the first of the epoch after it."""
    at = job()
    state = TrainingState.initial(at.config)
    state.sums.steps = at.steps_per_epoch
    with at.engine:
        assert check_first_step(at, state).verdict == "pass"


def test_a_short_run_is_not_looked_at():
    at = job("train.epochs=1")
    assert check_first_step(at, TrainingState.initial(at.config)) is None


def test_a_wrong_kernel_ends_the_run_before_it_begins(monkeypatch):
    [bug] = [bug for bug in FAST_BUGS if bug.name == "fast-dX-zero"]
    at = job()
    broken = broken_planner(at.config.train.planner, "conv2", bug)
    monkeypatch.setattr("cnnbp.config.models.plan_for", broken)
    with pytest.raises(WrongStep, match="conv2 \\(winograd\\): dx is 0") as caught:
        check_first_step(at, TrainingState.initial(at.config))
    assert "train.kernels=written" in str(caught.value)


def trained(check):
    at = job("train.epochs=30")
    state = TrainingState.initial(at.config)
    with at.engine:
        if check:
            assert check_first_step(at, state)
        next(event for event in loop.train(at, state) if isinstance(event, loop.EpochEvent))
    return state.parameters.vector.tobytes(), state.history


def test_a_run_has_the_same_bits_with_it_and_without_it():
    assert trained(check=True) == trained(check=False)
