"""A few images are learned by heart, or it is said that they are not."""

import itertools
import json

import numpy as np
import pytest

from cnnbp.training.divergence import TrainingDiverged
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.loop import StepEvent, train
from cnnbp.training.state import TrainingState
from cnnbp.training.trials import (
    GOAL,
    STEPS,
    RatePoint,
    RateTest,
    dry_run,
    overfit,
    overfit_config,
    overfit_result,
    range_test,
)
from tests.training.jobs import config, images, working
from tests.training.runs import train as run_train
from tests.training.runs import write_job


def learned(settings, count):
    settings = overfit_config(settings)
    job, state = Job.of(settings, load_datasets(settings).only(count), threads=1), TrainingState.initial(settings)
    with job.engine:
        for _ in overfit(job, state):
            pass
    return overfit_result(job, state)


def test_noise_is_learned_by_heart_until_the_loss_is_a_hundredth_of_chance(tmp_path):
    layers = ("flatten", {"dense": {"units": 16}}, "relu", {"dense": {"units": 2}})
    result = learned(config(images(tmp_path / "images"), layers, optimizer={"adam": {"lr": 0.01}}), 6)
    assert result.learned
    assert (result.images, result.accuracy, result.goal) == (6, 1.0, pytest.approx(GOAL * np.log(2)))
    assert result.loss <= result.goal
    assert result.epochs < 1000


def test_what_keeps_a_network_from_learning_by_heart_is_left_out(tmp_path):
    settings = config(
        tmp_path,
        loss={"cross_entropy": {"label_smoothing": 0.2, "class_weights": "balanced"}},
        data={"augment": [{"shift": 1}]},
        optimizer={"adam": {"weight_decay": 0.1}},
        schedule="cosine",
        early_stopping={"patience": 1},
        clip_norm=1.0,
    )
    plain = overfit_config(settings)
    assert plain.data.augment == ()
    assert (plain.loss.label_smoothing, plain.loss.class_weights) == (0, "balanced")
    assert plain.train.optimizer.weight_decay == 0
    assert (plain.train.schedule.type, plain.train.early_stopping, plain.train.clip_norm) == ("constant", None, 1.0)


def test_the_command_ends_with_0_and_writes_nothing(tmp_path):
    config_file = write_job(tmp_path)
    before = set(tmp_path.rglob("*"))
    code, out, err = run_train(config_file, "--overfit", "9", "--json", cwd=tmp_path)
    assert code == 0, err
    document = json.loads(out)
    assert document["images"] == 9
    assert document["loss"] <= document["goal"]
    assert set(tmp_path.rglob("*")) == before


def test_the_command_ends_with_1_where_the_network_cannot(tmp_path):
    config_file = write_job(tmp_path, per_class=(2, 2, 2))
    code, out, _ = run_train(config_file, "train.optimizer.sgd.lr=1e-9", "--overfit", "3", "-q", cwd=tmp_path)
    assert code == 1
    assert "3 images not learned by heart after 1000 epochs" in out


def test_it_is_the_first_step_of_the_training(tmp_path):
    settings = config(images(tmp_path / "images"), schedule={"cosine": {"warmup": 1}})
    with working(settings) as (job, state):
        result = dry_run(job)
        first = next(event for event in train(job, state) if isinstance(event, StepEvent))
    assert (result.loss, result.images) == (first.loss, first.images)
    assert result.lr == settings.train.optimizer.lr / 3  # 3 steps of warm-up
    assert [tensor.name for tensor in result.tensors][:2] == ["conv1.W", "conv1.b"]


def test_the_command_shows_the_step_and_writes_nothing(tmp_path):
    config_file = write_job(tmp_path)
    before = set(tmp_path.rglob("*"))
    code, out, _ = run_train(config_file, "--dry-run", cwd=tmp_path)
    assert code == 0
    assert "first step: 16 images, loss " in out
    assert "Batch gradients at step 1" in out
    document = json.loads(run_train(config_file, "--dry-run", "--json", cwd=tmp_path)[1])
    assert document["images"] == 16
    assert set(tmp_path.rglob("*")) == before


def test_trials_do_not_go_together_and_need_no_run_directory(tmp_path):
    config_file = write_job(tmp_path)
    for options in (("--dry-run", "--lr-find"), ("--overfit", "3", "--resume", tmp_path), ("--dry-run", "--run", "x")):
        code, out, err = run_train(config_file, *options, cwd=tmp_path)
        assert (code, out) == (2, "")
        assert "do not go together" in err


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


@pytest.mark.parametrize(
    ("losses", "place"),
    [
        ([*[3.0] * 10, 2.0, 1.3, 1.19, 1.1, 1.0, 2.0], 12),  # 1.2 is nine tenths of the way from 3 to 1
        ([*[3.0] * 10, 2.0, 1.21, 1.3, 1.25, 1.22, 1.0, 1.1], 15),  # the lowest alone is there
        ([*[3.0] * 10, 1.0, 1.05, 0.99, 1.1, 1.0, 0.98], 10),  # on a flat floor the first, not the lowest
        ([2.0, 3.0, 4.0], 0),  # it only rises
        ([2.0], 0),
    ],
)
def test_the_suggestion_is_where_the_loss_has_come_nine_tenths_of_its_way_down(losses, place):
    test = RateTest.of([RatePoint(float(number), loss) for number, loss in enumerate(losses)])
    assert test.suggestion == place


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
