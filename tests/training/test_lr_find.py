"""The range test: rising rates, a suggestion, and no trace of it."""

import itertools
import json

import pytest

from cnnbp.training.divergence import TrainingDiverged
from cnnbp.training.lr_find import STEPS, RatePoint, RateTest, range_test
from tests.training.jobs import config, images, working
from tests.training.runs import train as run_train
from tests.training.runs import write_job

LINEAR = ("flatten", {"dense": {"name": "out", "units": 2}})


def points(settings):
    with working(settings) as (job, state):
        return list(range_test(job, state))


def test_rates_rise_evenly_on_a_logarithmic_scale(tmp_path):
    found = points(config(images(tmp_path / "images"), LINEAR))
    ratios = [after.lr / before.lr for before, after in itertools.pairwise(found)]
    assert found[0].lr == 1e-6
    assert ratios == [pytest.approx(10 ** (7 / (STEPS - 1)))] * len(ratios)
    assert len(found) <= STEPS


def test_the_loss_is_smoothed_without_a_pull_towards_0(tmp_path):
    """avg₁ = ℓ₁ and avg₂ = (0.9·ℓ₁ + ℓ₂)/1.9."""
    settings = config(images(tmp_path / "images"), LINEAR)
    first, second, *_ = points(settings)
    with working(settings) as (job, state):
        losses = [float(job.engine.infer(state.parameters, {}, b.micro_batches).losses.mean()) for b in job.batches(0)]
    assert first.loss == pytest.approx(losses[0], rel=1e-5)
    assert second.loss == pytest.approx((0.9 * losses[0] + losses[1]) / 1.9, rel=1e-3)  # the rates are tiny


def test_it_ends_where_the_loss_explodes(tmp_path):
    found = points(
        config(images(tmp_path / "images"), LINEAR, optimizer={"sgd": {}}, data={"normalize": {"std": 0.01}})
    )
    assert len(found) < STEPS
    best = min(point.loss for point in found)
    assert all(point.loss <= 4 * best for point in found)


def test_the_suggestion_is_a_tenth_of_the_rate_with_the_lowest_loss():
    test = RateTest.of([RatePoint(0.001, 2.0), RatePoint(0.01, 1.0), RatePoint(0.1, 3.0)])
    assert test.suggestion == pytest.approx(0.001)


def test_a_network_that_cannot_take_the_first_step_is_no_fault_of_a_rate(tmp_path):
    with working(config(images(tmp_path / "images"), LINEAR)) as (job, state):
        state.parameters["out"]["W"][...] = 3e38
        with pytest.raises(TrainingDiverged, match='output of "out", forward'):
            next(range_test(job, state))


def test_the_command_prints_a_curve_and_a_rate_and_leaves_no_trace(tmp_path):
    config_file = write_job(tmp_path)
    before = set(tmp_path.rglob("*"))
    code, out, _ = run_train(config_file, "--lr-find", cwd=tmp_path)
    assert code == 0
    assert "loss by learning rate" in out
    assert "suggestion: train.optimizer.adam.lr=" in out
    suggestion = json.loads(run_train(config_file, "--lr-find", "--json", cwd=tmp_path)[1])["suggestion"]
    assert f"train.optimizer.adam.lr={suggestion:.1e}" in out
    assert 1e-5 < suggestion < 0.1
    assert set(tmp_path.rglob("*")) == before
