import numpy as np

from cnnbp.gradcheck.diagnosis import places
from tests.gradcheck.diagnosis.patterns import MAPS, numbers, pattern

RIGHT = numbers(3, 6, 7, 4)


def spoilt(*where):
    wrong = RIGHT.copy()
    wrong[where] += 1.3
    return pattern(wrong, RIGHT, MAPS)


ALL = slice(None)


def test_a_single_entry():
    assert places.a_single_entry(spoilt(1, 2, 3, 0)) == "a single entry is wrong: [1, 2, 3, 0]"
    assert places.a_single_entry(spoilt(1, 2)) is None


def test_only_at_kinks():
    kink = np.zeros(RIGHT.shape, bool)
    kink[1, 2] = True
    wrong = RIGHT + kink
    assert places.only_at_kinks(pattern(wrong, RIGHT, MAPS, kink=kink)).startswith("wrong only at kinks")
    assert places.only_at_kinks(pattern(wrong, RIGHT, MAPS)) is None
    assert places.only_at_kinks(pattern(RIGHT + 1, RIGHT, MAPS, kink=np.ones(RIGHT.shape, bool))) is None


def test_only_the_last_image():
    assert places.only_one_image(spoilt(ALL, ALL, ALL, 3)) == "wrong only in image 3 of 4"
    assert places.only_one_image(spoilt(0)) is None


def test_only_some_channels():
    assert places.only_some_channels(spoilt([0, 2])) == "wrong only in channels 0, 2 of 3"
    assert places.only_some_channels(spoilt(ALL, 2)) is None


def test_from_a_row_on():
    assert places.only_at_the_end(spoilt(ALL, slice(4, None))) == (
        "right up to row 3, wrong from there on: a loop that ends too early"
    )
    assert places.only_at_the_end(spoilt(ALL, 0)) is None


def test_only_at_the_border():
    assert places.only_at_the_border(spoilt(ALL, [0, 5])).startswith("wrong only at the border")
    assert places.only_at_the_border(spoilt(ALL, ALL, [0, 1, 5, 6])).startswith("wrong only at the border")
    assert places.only_at_the_border(spoilt(ALL, 3)) is None
    only_border = RIGHT.copy()
    only_border[:, 1:-1, 1:-1] = np.nan  # nothing else was checked
    assert places.only_at_the_border(pattern(RIGHT + 1, only_border, MAPS)) is None
