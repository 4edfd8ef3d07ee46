import numpy as np
import pytest

from cnnbp.gradcheck.numeric import step_size
from tests.gradcheck.functions import FunctionClaim, probe

THETA = np.array([0.3, -0.7, 1.1])
ALL = np.arange(3)


def cubes(columns):
    return (columns**3).sum(axis=0)


def claim(function, theta=THETA, **options):
    return FunctionClaim(function, theta, np.zeros_like(theta), **options)


@pytest.mark.parametrize(
    ("theta", "h"),
    [
        (np.zeros(5), 2.0**-10),
        (np.ones(5), 2.0**-10),
        (np.full(5, 0.06), 2.0**-14),
        (np.full(5, 1e9), 2.0**-8),
        (np.full(5, 1e-30), 2.0**-22),
    ],
)
def test_the_step_is_a_power_of_two_near_a_thousandth_of_the_tensor(theta, h):
    assert step_size(theta) == h


@pytest.mark.parametrize("h", [2.0**-6, 2.0**-10, 2.0**-14])
def test_the_error_of_a_smooth_function_is_within_its_bound(h):
    estimate, kink = probe(claim(lambda x: np.sin(5 * x).sum(axis=0))).differences(ALL, h)
    exact = 5 * np.cos(5 * THETA)
    assert (np.abs(estimate.derivative - exact) <= estimate.bound).all()
    assert not kink.any()


def test_richardson_has_no_truncation_error_in_a_cubic():
    estimate, _ = probe(claim(cubes)).differences(ALL, 2.0**-3)
    np.testing.assert_allclose(estimate.derivative, 3 * THETA**2, rtol=1e-14)


def test_the_bound_grows_with_the_numbers_that_are_rounded():
    small, _ = probe(claim(cubes)).differences(ALL, 2.0**-10)
    large, _ = probe(claim(cubes, size=1e6)).differences(ALL, 2.0**-10)
    assert (large.bound > 1e3 * small.bound).all()


def kinked(columns, at):
    return np.maximum(columns - at, 0).sum(axis=0)


@pytest.mark.parametrize("distance", [2.0**-12, 2.0**-16, 2.0**-20, 0.0])
def test_a_kink_is_stepped_around_or_held(distance):
    at = THETA[0] - distance
    function = claim(
        lambda x: kinked(x, at),
        pieces=lambda x: (x > at)[0],
        held=lambda x: ((x - at) * (at < THETA)[:, None]).sum(axis=0),
    )
    estimate, kink = probe(function).differences(ALL, 2.0**-10)
    assert kink.tolist() == [True, False, False]
    np.testing.assert_allclose(estimate.derivative, at < THETA, atol=1e-8)
    assert not estimate.crossed.any()


def test_the_complex_step_is_exact_to_the_last_digits():
    exact = probe(claim(lambda x: np.exp(x).sum(axis=0))).complex_step(ALL)
    np.testing.assert_allclose(exact, np.exp(THETA), rtol=1e-15)


def test_a_function_that_drops_the_imaginary_part_is_not_used_with_the_complex_step():
    assert probe(claim(cubes)).is_complex_safe
    assert not probe(claim(lambda x: (np.abs(x) ** 3).sum(axis=0))).is_complex_safe


def test_a_function_that_bends_a_lot_along_the_direction_is_still_complex_safe():
    assert probe(claim(lambda x: np.sin(3000 * x).sum(axis=0))).is_complex_safe


def test_an_affine_function_is_known_as_such_and_others_are_not():
    affine = claim(lambda x: 3 * x.sum(axis=0) + 1, may_be_affine=True)
    assert probe(affine).is_affine
    assert not probe(claim(cubes, may_be_affine=True)).is_affine
    assert not probe(claim(lambda x: np.maximum(x, 0).sum(axis=0), may_be_affine=True)).is_affine
