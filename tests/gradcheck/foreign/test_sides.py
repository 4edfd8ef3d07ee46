import numpy as np
import pytest

from cnnbp.gradcheck.foreign.sides import SHIFTS, STEPS, slopes

DISTANCES = np.concatenate([[0.0], 2.0 ** -np.arange(1.0, 40.0, 0.37)])
DISTANCES = np.concatenate([DISTANCES, -DISTANCES])


def seen(function, x, unit_roundoff=2.0**-53):
    """Return the slopes of functions of one number, each at its x (N,)."""
    with np.errstate(all="ignore"):
        return slopes(np.asarray(function(x[:, None] + SHIFTS), float)[None], 1.0, unit_roundoff, 1.0)


def relu(x):
    return np.maximum(x, 0)


SMOOTH = {
    "sine": (np.sin, np.cos),
    "fast sine": (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x)),
    "exponential": (lambda x: np.exp(3 * x), lambda x: 3 * np.exp(3 * x)),
    "on a pedestal": (lambda x: np.sin(x) + 1e4, np.cos),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_smooth_functions_slope_is_known_to_many_digits(name):
    function, slope = SMOOTH[name]
    x = np.random.default_rng(0).normal(size=500)
    found = seen(function, x)
    assert ((found.low <= slope(x)) & (slope(x) <= found.high)).all()
    assert (found.width <= (1e-4 if name == "on a pedestal" else 1e-7) * np.abs(slope(x)).max()).all()
    assert not found.kink.any()


@pytest.mark.parametrize("weight", [1.0, 1e-2, 1e-4, 1e-6, 1e-9])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_a_kink_or_a_jump_of_a_derivative_shifts_no_slope_at_any_distance(power, weight):
    def function(x, at=0.7 + DISTANCES[:, None]):
        return np.sin(x) + weight * relu(x - at) ** power

    x = np.full(len(DISTANCES), 0.7)
    slope = np.cos(x) + weight * power * relu(-DISTANCES) ** (power - 1) * (DISTANCES < 0)
    found = seen(function, x)
    assert ((found.low <= slope) & (slope <= found.high)).all()
    far = np.abs(DISTANCES) > 1e-5
    assert found.width[far].max() < 1e-6  # and not by being uncertain


def test_at_a_kink_both_slopes_and_what_is_between_them_count():
    found = seen(lambda x: 3 * relu(x) - relu(-x), np.zeros(1))
    np.testing.assert_allclose((found.low[0], found.high[0]), (1, 3), atol=1e-9)
    assert found.kink.all()


@pytest.mark.parametrize(
    ("function", "slope"), [(np.log, lambda x: 1 / x), (np.sqrt, lambda x: 0.5 / np.sqrt(x)), (relu, np.ones_like)]
)
def test_next_to_where_a_function_ends_its_slope_is_uncertain_and_not_wrong(function, slope):
    x = 10.0 ** -np.arange(1.0, 9.0, 0.21)
    found = seen(function, x)
    assert ((found.low <= slope(x)) & (slope(x) <= found.high)).all()


def test_what_is_computed_in_float32_is_known_to_fewer_digits():
    x = np.random.default_rng(0).normal(size=500)
    for function in (lambda x: np.sin(x.astype(np.float32)), lambda x: np.sin(x.astype(np.float32).astype(float))):
        found = seen(function, x, unit_roundoff=2.0**-24)
        assert ((found.low <= np.cos(x)) & (np.cos(x) <= found.high)).all()
        assert np.median(found.width) < 1e-2


def test_noise_that_a_functions_size_does_not_tell_is_measured():
    x = np.random.default_rng(0).normal(size=500)
    found = seen(lambda x: (np.sin(x) + 1e4) - 1e4, x)
    assert ((found.low <= np.cos(x)) & (np.cos(x) <= found.high)).all()
    assert np.median(found.width) < 1e-5


def test_the_slopes_of_parts_add_up():
    x = np.array([0.3, -0.2])
    parts = [np.sin(x[:, None] + SHIFTS), relu(x[:, None] + SHIFTS), np.ones((2, len(SHIFTS)))]
    found = slopes(np.array(parts), 1.0, 2.0**-53)
    np.testing.assert_allclose(found.middle, np.cos(x) + (x > 0), rtol=1e-8)
    assert len(SHIFTS) == 2 * len(STEPS) + 1
