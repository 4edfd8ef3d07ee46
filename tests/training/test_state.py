from math import isnan, sqrt

import numpy as np
import pytest

from cnnbp.config import EarlyStopping
from cnnbp.parameters import Layout, Parameters
from cnnbp.training.loop import train
from cnnbp.training.state import (
    EpochMetrics,
    TrainingState,
    best_epoch,
    monitored_losses,
    should_stop,
    tensor_steps,
    total_update_ratio,
)
from tests.training.jobs import config, images, working


def test_the_first_state_follows_from_the_seed(tmp_path):
    first, again, other = (TrainingState.initial(config(tmp_path, seed=seed)).parameters.vector for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_copy_stays_as_it_is_while_training_goes_on(tmp_path):
    with working(config(images(tmp_path / "images"), optimizer="adam")) as (job, state):
        events = train(job, state)
        next(events)
        copy = state.copy()
        kept = [copy.parameters.vector.copy(), copy.slots["mean"].copy(), copy.running_statistics["batchnorm1"]]
        kept[2] = {name: array.copy() for name, array in kept[2].items()}
        for _ in events:
            pass
    assert (copy.step, copy.sums.steps, copy.history) == (1, 1, [])
    np.testing.assert_array_equal(copy.parameters.vector, kept[0])
    np.testing.assert_array_equal(copy.slots["mean"], kept[1])
    for name, array in kept[2].items():
        np.testing.assert_array_equal(copy.running_statistics["batchnorm1"][name], array)
    assert (copy.parameters["out"]["W"] != state.parameters["out"]["W"]).any()


LAYOUT = Layout({"conv1": {"W": (2, 1), "b": (2,)}})


def parameters(*numbers):
    return Parameters(LAYOUT, np.array(numbers, np.float32))


def steps():
    return tensor_steps(parameters(3, 4, 0, 0), parameters(3, 4.5, 1, 0), parameters(6, 8, 2, 4))


def test_each_tensor_has_its_norms_and_ratios():
    weights, bias = steps()
    assert (weights.name, weights.shape, bias.name) == ("conv1.W", (2, 1), "conv1.b")
    assert (weights.parameter_norm, weights.gradient_norm, weights.update_norm) == (5, 10, 0.5)
    assert (weights.gradient_ratio, weights.update_ratio) == (2, 0.1)
    assert (weights.gradient_mean, weights.gradient_std) == (7, 1)


def test_a_tensor_of_zeros_has_no_ratio():
    _, bias = steps()
    assert isnan(bias.gradient_ratio)
    assert isnan(bias.update_ratio)


def test_the_whole_network_moves_as_one_vector():
    assert total_update_ratio(steps()) == pytest.approx(sqrt(0.5**2 + 1) / 5)
    assert total_update_ratio([]) == 0


def history(*losses, validation=True):
    return [
        EpochMetrics(n, 9.0 if validation else loss, 0.5, loss if validation else None, 0.5, 0.1, 1.0, 1e-3)
        for n, loss in enumerate(losses, 1)
    ]


def stops_after(losses, **rule):
    """Return after how many epochs training would end, None where it goes on."""
    whole = history(*losses)
    ends = (n for n in range(len(losses) + 1) if should_stop(whole[:n], EarlyStopping(**rule)))
    return next(ends, None)


@pytest.mark.parametrize(
    ("losses", "rule", "end"),
    [
        ([5, 4, 3, 2, 1], {"patience": 1}, None),
        ([5, 6], {"patience": 1}, 2),
        ([5, 6], {"patience": 0}, 2),
        ([5], {"patience": 0}, None),  # the first epoch is always better than none
        ([5, 5, 5], {"patience": 2}, 3),  # no worse is not better
        ([5, 6, 4, 6, 6, 6], {"patience": 2}, 5),  # 4 starts the count anew
        ([5, 6, 7, 4], {"patience": 3}, None),
        ([5, 4.9, 4.8, 4.7], {"patience": 2, "min_delta": 0.25}, 3),  # each step alone is too small …
        ([5, 4.9, 4.7, 4.6, 4.5], {"patience": 2, "min_delta": 0.25}, 5),  # … but the best one stays the measure
        ([5, 4.75], {"patience": 1, "min_delta": 0.25}, 2),  # exactly min_delta is not more than it
        ([2, 1, 3, 3, 3, 3, 3], {"patience": 5}, 7),
    ],
)
def test_training_stops_when_patience_epochs_were_not_better_by_more_than_min_delta(losses, rule, end):
    assert stops_after(losses, **rule) == end


def test_without_a_rule_nothing_stops():
    assert not should_stop(history(1, 2, 3, 4), None)


def test_the_first_of_equally_good_epochs_is_the_best():
    assert best_epoch(history(3, 1, 2, 1), "loss").epoch == 2
    assert best_epoch([], "loss") is None


@pytest.mark.parametrize("validated", [True, False])
def test_the_most_accurate_epoch_is_the_best_where_that_is_asked_for_and_of_equal_ones_the_one_of_lower_loss(validated):
    epochs = [(0.5, 0.1), (0.9, 0.8), (0.9, 0.7), (0.9, 0.7), (0.8, 0.2)]
    metrics = [
        EpochMetrics(n, loss, right, loss if validated else None, right if validated else None, 0.1, 1.0, 1.0)
        for n, (right, loss) in enumerate(epochs, 1)
    ]
    assert best_epoch(metrics, "accuracy").epoch == 3
    assert best_epoch(metrics, "loss").epoch == 1
    assert best_epoch([], "accuracy") is None


def test_the_validation_loss_decides_and_without_validation_the_training_loss():
    assert monitored_losses(history(3, 1)) == [3, 1]
    assert monitored_losses(history(3, 1, validation=False)) == [3, 1]
