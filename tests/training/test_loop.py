"""Epochs: their order, their rates, where they stop, and that any event is a place to go on from."""

import numpy as np
import pytest

from cnnbp.data.batches import epoch_order
from cnnbp.training.loop import EpochEvent, StepEvent, ValidationEvent, is_over, learning_rate, train
from tests.training.jobs import config, images, trained, working


@pytest.fixture
def folder(tmp_path):
    return images(tmp_path / "images")


def bytes_of(state):
    arrays = [state.parameters.vector, *state.slots.values()]
    arrays += [array for tensors in state.running_statistics.values() for array in tensors.values()]
    return [array.tobytes() for array in arrays]


def test_an_epoch_is_its_steps_then_its_validation_then_its_result(folder):
    with working(config(folder, epochs=1)) as (job, state):
        events = list(train(job, state))
    kinds = [StepEvent] * 3 + [ValidationEvent, EpochEvent]  # 10 images in batches of 4
    assert [type(event) for event in events] == kinds
    assert [event.done for event in events[:4]] == [4, 8, 10, 2]
    assert events[-1].metrics.train_loss == pytest.approx(
        (4 * events[0].loss + 4 * events[1].loss + 2 * events[2].loss) / 10
    )


def test_every_event_is_a_place_to_go_on_from_to_the_same_bits(folder):
    settings = config(folder, epochs=3, optimizer="adam", schedule="cosine", data={"augment": [{"shift": 1}]})
    whole, _ = trained(settings)
    with working(settings) as (job, state):
        copies = [state.copy(), *(state.copy() for _ in train(job, state))]
    for copy in copies:
        with working(settings, threads=2) as (job, _):
            for _ in train(job, copy):
                pass
        assert bytes_of(copy) == bytes_of(whole)
        assert copy.history == whole.history
        assert copy.last_step == whole.last_step


def test_each_epoch_has_an_order_of_its_own_that_shows_every_image_once(folder):
    with working(config(folder)) as (job, _):
        seen = [np.concatenate([batch.indices for batch in job.batches(epoch)]) for epoch in (0, 1)]
        for order in seen:
            assert sorted(order) == sorted(job.datasets.train.indices)
        assert list(seen[0]) != list(seen[1])
        assert list(seen[0]) == list(job.datasets.train.indices[epoch_order(10, 0, 0)])


def test_equal_seeds_give_equal_numbers_and_another_seed_other_ones(folder):
    first, again, other = (trained(config(folder, seed=seed))[0] for seed in (0, 0, 1))
    assert bytes_of(first) == bytes_of(again)
    assert first.history == again.history
    assert first.history != other.history


def test_the_rate_rises_over_the_warmup_and_falls_with_the_cosine(folder):
    """3 steps an epoch; warmup 1 of 3 epochs: thirds of the rate, then half a cosine over two epochs."""
    schedule = {"cosine": {"warmup": 1}}
    with working(config(folder, epochs=3, optimizer={"sgd": {"lr": 0.6}}, schedule=schedule)) as (job, _):
        rates = [learning_rate(job, step, []) for step in range(9)]
    falling = [0.3 * (1 + np.cos(np.pi * step / 6)) for step in range(6)]
    np.testing.assert_allclose(rates, [0.2, 0.4, 0.6, *falling])


def test_the_plateau_divides_the_rate_after_more_than_patience_epochs_without_improvement(folder):
    """The rate is so small that nothing improves by a third: epoch 1 is the best, 2 and 3 are let pass."""
    plateau = {"plateau": {"patience": 1, "threshold": 0.33, "gamma": 0.5}}
    state, _ = trained(config(folder, epochs=6, optimizer={"sgd": {"lr": 1e-6}}, schedule=plateau))
    assert [metrics.lr for metrics in state.history] == [1e-6, 1e-6, 1e-6, 5e-7, 5e-7, 2.5e-7]


def test_early_stopping_ends_a_run_that_does_not_improve(folder):
    settings = config(folder, epochs=9, optimizer={"sgd": {"lr": 1e-9}}, early_stopping={"patience": 2, "min_delta": 1})
    state, _ = trained(settings)
    assert len(state.history) == 3
    assert is_over(settings.train, state.history)


def test_without_validation_the_training_loss_is_monitored(folder):
    state, events = trained(config(folder, epochs=2, data={"validation": 0}))
    assert [metrics.val_loss for metrics in state.history] == [None, None]
    assert events[0].metrics.monitored_loss == events[0].metrics.train_loss


def test_a_network_without_parameters_goes_through_its_epochs(folder):
    state, events = trained(config(folder, ({"conv2d": {"filters": 2, "kernel": 1}}, "global_avgpool2d", "flatten")))
    assert len(state.history) == 2
    assert events[0].tensors
