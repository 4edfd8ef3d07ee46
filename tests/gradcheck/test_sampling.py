import numpy as np
import pytest

from cnnbp.gradcheck.sampling import sample


@pytest.mark.parametrize("shape", [(4,), (3, 5), (8, 4, 3, 3), (2, 16, 16, 3)])
def test_a_budget_that_suffices_takes_every_entry(shape):
    size = int(np.prod(shape))
    np.testing.assert_array_equal(sample(shape, size, seed=0), np.arange(size))


@pytest.mark.parametrize("budget", [1, 2, 7, 64, 200])
def test_a_sample_has_as_many_entries_as_the_budget_and_none_twice(budget):
    entries = sample((8, 4, 3, 3), budget, seed=0)
    assert len(np.unique(entries)) == len(entries) == budget
    assert 0 <= entries.min() <= entries.max() < 288


def test_a_sample_meets_every_channel_row_and_column():
    places = np.unravel_index(sample((8, 4, 3, 3), 32, seed=3), (8, 4, 3, 3))
    for axis, side in zip(places, (8, 4, 3, 3), strict=True):
        assert set(axis.tolist()) == set(range(side))


def test_a_sample_holds_all_corners_if_they_are_half_of_it_at_most():
    entries = sample((8, 4, 3, 3), 32, seed=0)
    corners = [
        i
        for i in entries
        if all(p in (0, n - 1) for p, n in zip(np.unravel_index(i, (8, 4, 3, 3)), (8, 4, 3, 3), strict=True))
    ]
    assert len(corners) >= 16


def test_a_seed_gives_the_same_sample_and_another_one_another():
    first, again, other = (sample((50, 50), 20, seed=s).tolist() for s in (0, 0, 1))
    assert first == again != other
