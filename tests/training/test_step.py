"""One step, compared with what a hand works out from the engine's gradient."""

import numpy as np
import pytest

from cnnbp.training.divergence import TrainingDiverged
from cnnbp.training.step import take_step
from tests.training.jobs import config, images, working

LINEAR = ("flatten", {"dense": {"name": "out", "units": 2}})
SGD = {"sgd": {"lr": 1.0}}


def first_step(settings, lr=0.5, **options):
    """Take a step; return the move of the parameters, the gradient, the loss and the state."""
    with working(settings) as (job, state):
        batch = next(job.batches(0))
        before = state.parameters.copy()
        result = job.engine.step(before, state.running_statistics, batch.micro_batches, 0)
        loss = take_step(job, state, batch, lr, **options)
    return state.parameters.vector - before.vector, result.gradient.vector, loss, state


@pytest.fixture
def folder(tmp_path):
    return images(tmp_path / "images")


def test_a_step_of_gradient_descent_is_the_rate_times_the_gradient(folder):
    move, gradient, _, state = first_step(config(folder, LINEAR, optimizer=SGD))
    np.testing.assert_allclose(move, -0.5 * gradient, rtol=1e-4, atol=1e-7)
    assert state.step == 1


def test_a_gradient_longer_than_clip_norm_is_shortened_to_it_and_keeps_its_direction(folder):
    _, gradient, _, _ = first_step(config(folder, LINEAR, optimizer=SGD))
    norm = float(np.linalg.norm(gradient))
    move, _, _, state = first_step(config(folder, LINEAR, optimizer=SGD, clip_norm=norm / 4))
    assert np.linalg.norm(move) == pytest.approx(0.5 * norm / 4, rel=1e-4)
    np.testing.assert_allclose(move, -0.5 * gradient / 4, rtol=1e-3, atol=1e-7)
    assert state.sums.gradient_norm == pytest.approx(norm)  # before clipping


def test_a_gradient_shorter_than_clip_norm_stays_as_it_is(folder):
    free, *_ = first_step(config(folder, LINEAR, optimizer=SGD))
    clipped, *_ = first_step(config(folder, LINEAR, optimizer=SGD, clip_norm=1e6))
    np.testing.assert_array_equal(free, clipped)


def test_the_sums_weigh_a_batch_by_its_images(folder):
    settings = config(folder, LINEAR, optimizer=SGD, batch_size=7, data={"validation": 0})
    with working(settings) as (job, state):
        losses = [take_step(job, state, batch, 0.1) for batch in job.batches(0)]
    assert (state.sums.steps, state.sums.images) == (2, 12)
    assert state.sums.loss == 7 * losses[0] + 5 * losses[1]


def test_balanced_class_weights_are_n_over_classes_times_count(tmp_path):
    """With outputs of 0 every image has the loss ln 2, times its class's weight: 12/(2·9) and 12/(2·3)."""
    folder = images(tmp_path / "uneven", (9, 3))
    layers = ("flatten", {"dense": {"units": 2, "init": "zeros"}})
    balanced = {"cross_entropy": {"class_weights": "balanced"}}
    settings = config(folder, layers, loss=balanced, batch_size=12, data={"validation": 0})
    _, _, loss, _ = first_step(settings)
    assert loss == pytest.approx(np.log(2) * (9 * 12 / 18 + 3 * 12 / 6) / 12, rel=1e-6)
    with working(settings) as (job, _):
        np.testing.assert_allclose(job.engine.loss.class_weights, [12 / 18, 12 / 6])


def test_a_watched_step_is_written_down_tensor_by_tensor(folder):
    move, gradient, _, state = first_step(config(folder, LINEAR, optimizer=SGD), watched=True)
    assert [step.name for step in state.last_step] == ["out.W", "out.b"]
    weights = state.last_step[0]
    assert weights.update_norm == pytest.approx(np.linalg.norm(move[:32]), rel=1e-4)
    assert weights.gradient_norm == pytest.approx(np.linalg.norm(gradient[:32]), rel=1e-4)


def test_a_step_whose_update_overflows_is_no_step(folder):
    with pytest.raises(TrainingDiverged) as error:
        first_step(config(folder, LINEAR, optimizer=SGD, data={"normalize": {"std": 1e-3}}), lr=1e38)
    found = error.value.divergence.found
    assert (found.direction, found.layer) == ("update", "out")
