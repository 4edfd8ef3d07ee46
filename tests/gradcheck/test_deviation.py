import numpy as np
import pytest

from cnnbp.gradcheck.deviation import ROUNDINGS, SINGLE_ROUNDOFF, TAIL, deviation

WHERE = ("conv1", "rows")
EXACT = np.random.default_rng(0).normal(size=(4, 5, 3))


def compared(found, exact=EXACT, *amplified, allowed=ROUNDINGS):
    return deviation(WHERE, "dW", found.astype(np.float32), exact, allowed, *amplified)


def test_numbers_that_are_rounded_once_are_about_a_rounding_away():
    found = compared(EXACT)
    assert not found.wrong
    assert found.units < 2
    assert str(found) == "conv1 (rows): dW"


def test_images_take_turns_as_far_as_they_go():
    turns = np.arange(7) % 3
    assert not compared(EXACT[..., turns]).wrong
    assert compared(EXACT[..., turns[::-1]]).wrong


def test_a_tensor_that_is_off_as_a_whole_is_wrong_by_what_it_is_off():
    found = compared(EXACT * (1 + 100 * SINGLE_ROUNDOFF))
    assert found.wrong
    assert 100 < found.units < 100 * np.sqrt(3)


def test_a_single_number_that_is_off_counts_less_and_still_shows():
    off = EXACT.copy()
    off[1, 2, 0] += 3 * TAIL * ROUNDINGS * SINGLE_ROUNDOFF
    assert compared(off).wrong


@pytest.mark.parametrize(
    ("found", "remark"),
    [
        (EXACT * np.nan, "has NaN or Inf"),
        (0 * EXACT, "is 0"),
        (-3 * EXACT, "is -3 times what it should be"),
        (EXACT + (EXACT > 1), "is off by up to 1.0e+00 at"),
    ],
)
def test_what_is_wrong_is_said(found, remark):
    result = compared(found)
    assert result.wrong
    assert result.remark.startswith(remark)


def test_terms_that_cancel_are_measured_only_where_it_matters_and_closer_only_in_doubt():
    asked = []

    def measure(size):
        return lambda: asked.append(size) or np.full(EXACT.shape, float(size))

    assert not compared(EXACT, EXACT, measure(1), measure(2)).wrong
    assert asked == []
    off = EXACT + 300 * SINGLE_ROUNDOFF
    assert not compared(off, EXACT, measure(1000), measure(2000)).wrong
    assert asked == [1000]
    assert not compared(off, EXACT, measure(1), measure(1000)).wrong
    assert asked == [1000, 1, 1000]
    assert compared(EXACT + 1, EXACT, measure(1), measure(1000)).wrong
    assert asked == [1000, 1, 1000, 1]
