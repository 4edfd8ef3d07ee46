import numpy as np
import pytest

from cnnbp.experiments.comparison import Spread, compare_settings, differs
from cnnbp.experiments.records import RunRecord
from cnnbp.training.state import EpochMetrics
from cnnbp.training.summary import Evaluation


def run(accuracy, test=0.5):
    epoch = EpochMetrics(1, 0.9, 0.1, 1 - accuracy, accuracy, 0.1, 1.0, 0.01)
    return RunRecord("r", "finished", {}, (epoch,), Evaluation("test", 10, 0.4, test), 0.0)


def test_a_spread_is_the_mean_and_the_deviation_with_n_minus_1():
    assert Spread.of([1.0, 2.0, 4.0]) == Spread(pytest.approx(7 / 3), pytest.approx(np.std([1, 2, 4], ddof=1)))
    assert Spread.of([0.5]) == Spread(0.5, None)
    assert Spread.of([]) is None


def test_seeds_are_compared_pair_by_pair():
    # Student's own example: the hours of sleep that two drugs gave ten patients; t = 4.06, beyond 2.262.
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    assert differs(first, second)
    assert not differs(first, sorted(second, reverse=True))  # the same numbers, not of the same patients


def test_groups_of_other_sizes_are_compared_by_their_deviations():
    assert differs([1.0, 1.1, 0.9, 1.0], [2.0, 2.1, 1.9])
    assert not differs([1.0, 2.0, 0.0, 1.0], [2.0, 3.1, 0.9])
    assert not differs([1.0], [2.0, 2.0])


@pytest.mark.parametrize("difference", [0.0, 0.004])
def test_chance_alone_is_called_a_difference_in_about_one_case_of_twenty(difference):
    rng = np.random.default_rng(0)
    found = sum(
        differs(list(rng.normal(0.9 + difference, 0.01, 5)), list(rng.normal(0.9, 0.01, 5))) for _ in range(2000)
    )
    assert (0.03 < found / 2000 < 0.07) == (difference == 0)


def test_the_best_is_chosen_by_the_validation_images_alone():
    settings = [({"lr": "1"}, [run(0.9, 0.99), run(0.91, 0.99)], 0), ({"lr": "2"}, [run(0.95, 0.1), run(0.96, 0.1)], 1)]
    first, second = compare_settings(settings)
    assert (first.is_best, second.is_best) == (False, True)
    assert (first.within_noise, second.within_noise) == (False, None)
    assert (second.failed, second.evaluated_split, second.evaluated.mean) == (1, "test", pytest.approx(0.1))


def test_one_run_each_leaves_open_what_is_noise():
    first, _ = compare_settings([({"lr": "1"}, [run(0.5)], 0), ({"lr": "2"}, [run(0.9)], 0)])
    assert first.within_noise
    nothing, _ = compare_settings([({"lr": "1"}, [], 2), ({"lr": "2"}, [run(0.9)], 0)])
    assert (nothing.score, nothing.within_noise, nothing.failed) == (None, None, 2)
