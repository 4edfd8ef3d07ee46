"""The best epoch, and early stopping in Keras' terms: worked out by hand."""

import pytest

from cnnbp.config import EarlyStopping
from cnnbp.training.metrics import EpochMetrics, best_epoch, monitored_losses, should_stop


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
    assert best_epoch(history(3, 1, 2, 1)).epoch == 2
    assert best_epoch([]) is None


def test_the_validation_loss_decides_and_without_validation_the_training_loss():
    assert monitored_losses(history(3, 1)) == [3, 1]
    assert monitored_losses(history(3, 1, validation=False)) == [3, 1]
