from dataclasses import replace

import numpy as np

from cnnbp.gradcheck.endtoend import network_case
from cnnbp.gradcheck.rounding import Amplification
from cnnbp.gradcheck.single import compare_float32
from cnnbp.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU
from tests.gradcheck.points import NORMALISED, PLAIN, point


def compared(here):
    return compare_float32(here, network_case(here))


def test_float32_gradients_are_a_few_roundings_away():
    for layers in (PLAIN, NORMALISED):
        result = compared(point(layers))
        assert result.verdict == "pass"
        assert 0 < result.worst.units < 100
        assert 0 < result.worst.max_difference < 1e-5


def test_branches_that_rounding_turns_are_no_difference():
    here = point(
        (Conv2d(filters=4, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=3)), shape=(1, 16, 16)
    )
    here.x[...] = 0.1 + 1e-10 * here.x  # nearly flat: float32 sees ties where float64 sees maxima
    result = compared(here)
    assert result.flipped > 0
    assert result.verdict == "pass"


class HalfPrecision(Dense):
    """A dense layer whose gradient takes a detour over half precision."""

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        return dx.astype(np.float16).astype(dx.dtype) if dx.dtype == np.float32 else dx, gradients


def test_a_detour_over_half_precision_fails():
    result = compared(point((*PLAIN[:-1], HalfPrecision(units=3))))
    assert result.verdict == "fail"
    assert result.worst.name in ("conv2d1.W", "conv2d1.b", "X")


class Overflowing(Dense):
    """A dense layer whose float32 gradient is not a number."""

    def backward(self, params, cache, dy, ctx):
        dx, gradients = super().backward(params, cache, dy, ctx)
        return dx, {**gradients, "W": gradients["W"] * (np.nan if dy.dtype == np.float32 else 1)}


def test_nan_fails():
    result = compared(point((*PLAIN[:-1], Overflowing(units=3))))
    assert result.verdict == "fail"
    assert result.worst.name == "dense1.W"


class Underestimated(Amplification):
    """What three runs that are near each other by chance take it for; a closer look is not fooled."""

    def of(self, argument):
        return super().of(argument) / 1e4


def test_a_rounding_that_was_taken_for_too_small_is_measured_again():
    here = point()
    case = network_case(here)
    fooled = Underestimated(case.computation, dict(enumerate(here.forward()[0].caches)))
    result = compare_float32(here, replace(case, amplification=fooled))
    assert result.verdict == "pass"
    assert 0 < result.worst.units < 100
