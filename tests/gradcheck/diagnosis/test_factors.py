import numpy as np
import pytest

from cnnbp.gradcheck.diagnosis import factors, tensor_hint
from tests.gradcheck.diagnosis.patterns import KERNEL, MAPS, numbers, pattern, unchecked

RIGHT = numbers(3, 4)


def test_zero_everywhere():
    assert "zero everywhere" in factors.zero_everywhere(pattern(np.zeros((3, 4)), RIGHT))
    assert factors.zero_everywhere(pattern(2 * RIGHT, RIGHT)) is None


def test_the_sign():
    assert "sign" in factors.wrong_sign(pattern(-RIGHT, RIGHT))
    assert factors.wrong_sign(pattern(np.abs(RIGHT), RIGHT)) is None


def test_a_cast_to_float32_is_told_from_a_factor_next_to_1():
    cast = pattern(RIGHT.astype(np.float32), RIGHT)
    assert "float32" in factors.cast_to_float32(cast)
    assert factors.constant_ratio(cast) is None
    millionth = pattern(RIGHT * (1 + 1e-6), RIGHT)
    assert factors.cast_to_float32(millionth) is None
    assert factors.constant_ratio(millionth).startswith("1.000001 times too large")


@pytest.mark.parametrize(
    ("factor", "sizes", "hint"),
    [
        (5, {"M": 5}, "5 (M) times too large: the 1/M of the mean is missing"),
        (1 / 5, {"M": 5}, "1/5 (M) of what it should be: a mean over the images where their sum is due"),
        (1 / 12, {"M": 5, "H·W": 12}, "1/12 (H·W) of what it should be: a mean over all places where their sum is due"),
        (2, {"M": 5}, "2 times too large: added twice"),
        (0.5, {"M": 5}, "1/2 of what it should be: a factor 2 is missing"),
        (3, {"kH": 3, "kW": 3}, "3 (kH or kW) times too large: divided by one side of the kernel instead of both"),
        (1 / 3, {"K": 3}, "1/3 (K) of what it should be: divided by the number of outputs, too"),
        (0.7, {"1 − p": 0.7}, "1/(1 − p) is missing"),
        (0.37, {"M": 5}, "0.37 times what it should be, everywhere"),
    ],
)
def test_a_constant_factor_is_called_by_the_size_that_it_is(factor, sizes, hint):
    assert factors.constant_ratio(pattern(factor * RIGHT, RIGHT, **sizes)).startswith(hint)
    assert factors.constant_ratio(pattern(factor * RIGHT, unchecked(RIGHT), **sizes)).startswith(hint)


def test_a_factor_that_only_some_entries_have_is_not_constant():
    assert factors.constant_ratio(pattern([2, 2, 3.0], [1, 1, 3.0])) is None
    assert factors.constant_ratio(pattern([3.7], [1.0])) is None  # any single number is wrong by some factor


def test_there_is_no_ratio_to_what_may_be_0():
    rounding = np.array([1e-17, 2e-17, -1e-17])
    nothing = pattern([3.7e-4, 7.4e-4, -3.7e-4], rounding, bound=1e-12)
    assert factors.constant_ratio(nothing) is None


def test_a_factor_for_each_channel():
    right = numbers(3, 2, 2, 4)
    wrong = right * np.array([2, 3, 0.5]).reshape(-1, 1, 1, 1)
    assert factors.ratio_per_channel(pattern(wrong, right, MAPS)) == "a factor of its own for each channel, 0.5 to 3"
    assert factors.ratio_per_channel(pattern(right * numbers(3, 2, 2, 4, seed=1), right, MAPS)) is None


def test_whole_multiples():
    more = factors.integer_multiples(pattern(RIGHT * np.array([1, 2, 3, 1]), RIGHT))
    assert more == "some are 2, 3 times too large: ties, or overlapping windows"
    less = factors.integer_multiples(pattern(RIGHT / np.array([1, 2, 4, 1]), RIGHT))
    assert less == "some are 2, 4 times too small: ties, or overlapping windows"
    assert factors.integer_multiples(pattern(RIGHT * 1.5, RIGHT)) is None


def test_nothing_where_something_should_be_and_the_other_way():
    assert "are 0 and should not be" in factors.nothing_where_something(pattern([0, 2.0], [1, 2.0]))
    assert "should be 0 and are not" in factors.nothing_where_something(pattern([1, 2.0], [0, 2.0]))
    assert factors.nothing_where_something(pattern([1, 3.0], [0, 2.0])) is None


def test_a_right_tensor_gets_no_hint_and_chaos_none_either():
    assert tensor_hint(pattern(RIGHT, RIGHT)) is None
    right = numbers(3, 2, 3, 3)
    assert tensor_hint(pattern(numbers(3, 2, 3, 3, seed=4), right, KERNEL)) is None
