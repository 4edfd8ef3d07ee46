import numpy as np
import pytest

from cnnbp.gradcheck.endtoend import network_case
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, Tanh
from cnnbp.losses import MeanSquaredError
from tests.gradcheck.points import SMOOTH, point


def amplification(layers, name):
    case = network_case(point(layers))
    [claim] = [claim for claim in case.claims if claim.name == name]
    return float(case.amplification.of(claim.argument).max()), float(np.abs(claim.gradient).max())


def test_a_gradient_of_ordinary_sums_amplifies_rounding_about_once():
    for name in ("conv2d1.W", "dense1.W", "X"):
        spread, size = amplification(SMOOTH, name)
        assert 0.01 * size < spread < 10 * size


def test_a_bias_before_batch_norm_has_a_gradient_of_nothing_but_rounding():
    spread, size = amplification((Conv2d(filters=2, kernel=3), BatchNorm(), Flatten(), Dense(units=3)), "conv2d1.b")
    assert size < 1e-14
    assert spread > 1e-3


def test_a_saturated_tanh_keeps_few_digits_of_its_gradient():
    layers = (Conv2d(filters=2, kernel=3), Tanh(), Flatten(), Dense(units=3))
    here = point(layers)
    here.params["conv2d1"]["b"][...] = 12.0  # 1 − tanh² ≈ 1e-10
    case = network_case(here)
    [claim] = [claim for claim in case.claims if claim.name == "conv2d1.b"]
    assert case.amplification.of(claim.argument).min() > 1e5 * float(np.abs(claim.gradient).max())


def test_an_error_of_a_mean_is_one_for_all_images():
    alike = point((Flatten(), BatchNorm(), Dense(units=3)), loss=MeanSquaredError())
    alike.x[...] = 0.3  # x − μ is nothing but rounding, divided by √ε
    case = network_case(alike)
    [claim] = [claim for claim in case.claims if claim.name == "batchnorm1.beta"]  # a sum over the images
    assert case.amplification.of(claim.argument).min() > 0.3 / np.sqrt(1e-5) * 1e-3


def test_what_batch_norm_subtracts_from_a_gradient_is_rounded_as_the_whole_is():
    twice = (Conv2d(filters=2, kernel=3), BatchNorm(), Flatten(), BatchNorm(eps=1e-12), Dense(units=3))
    spread, size = amplification(twice, "batchnorm1.beta")  # three images: hardly anything is left of dy
    assert size < 1e-12
    assert spread > 1e-3


def test_an_entry_that_is_less_certain_than_the_others_has_a_rounding_of_its_own():
    here = point((Flatten(), Tanh(), Dense(units=3)))
    here.x[:, 0, 0] = 12.0  # 1 − tanh² ≈ 1e-10
    case = network_case(here)
    [claim] = [claim for claim in case.claims if claim.name == "X"]
    spread = case.amplification.of(claim.argument)
    assert spread[:, 0, 0].min() > 0.1 * spread.max() > 0
    assert spread.min() == pytest.approx(np.sqrt(np.mean(spread**2)), rel=0.5)


def test_a_closer_look_takes_more_runs_and_finds_the_same():
    case = network_case(point(SMOOTH))
    for claim in case.claims:
        ratio = claim.closer().rounding / claim.rounding
        assert np.exp(np.mean(np.log(ratio))) == pytest.approx(1, rel=0.7)
        assert (ratio != 1).any()
