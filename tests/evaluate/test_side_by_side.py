"""Which of several runs is better: by hand."""

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cnnbp.evaluate.side_by_side import Beside, Measured, common_images, exact_chance, side_by_side


def measured(*right, images="abcdefgh"):
    """Return a run that got some images right, 1, and others wrong, 0."""
    right = np.array(right, bool)
    paths = tuple(map(Path, images[: len(right)]))
    return Measured("run", "test", paths, right, SimpleNamespace(accuracy=right.mean()))


@pytest.mark.parametrize(("this", "other"), [(0, 0), (0, 5), (0, 6), (2, 7), (3, 3)])
def test_chance_is_counted_out_over_all_tosses(this, other):
    falls = [sum(tosses) for tosses in product((0, 1), repeat=this + other)]
    even = (this + other) / 2
    assert exact_chance(this, other) == pytest.approx(
        np.mean([abs(heads - even) >= abs(this - even) for heads in falls])
    )


def test_the_most_accurate_is_the_best_and_each_other_is_held_beside_it_image_by_image():
    first, best, equal = measured(1, 0, 0, 0, 0, 0, 0, 0), measured(0, 1, 1, 1, 1, 1, 1, 1), measured(*[1] * 7, 0)
    found = side_by_side([first, best, equal])
    assert found[1] == Beside(is_best=True)
    assert found[0] == Beside(False, 1, 7, pytest.approx(18 / 256))
    assert (found[0].is_worse, found[2].is_worse) == (False, False)
    assert (found[2].only_this, found[2].only_best, found[2].chance) == (1, 1, 1.0)
    worse = side_by_side([measured(*[0] * 8), best])[0]
    assert (worse.only_this, worse.only_best, worse.is_worse) == (0, 7, True)


def test_runs_on_other_images_are_not_told_apart():
    one, other = measured(1, 1, 1), measured(0, 1, 1, images="bcd")
    assert side_by_side([one, other])[1] == Beside(is_best=False)
    assert side_by_side([one, other])[1].is_worse is None
    assert common_images([one, other]) == 2
    assert common_images([one, measured(0, 0, 0)]) is None
