import numpy as np

from cnnbp.gradcheck.endtoend import network_case
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, Tanh
from tests.gradcheck.points import SMOOTH, point


def amplification(layers, name):
    case = network_case(point(layers))
    [claim] = [claim for claim in case.claims if claim.name == name]
    return case.amplification.of(claim.argument), float(np.abs(claim.gradient).max())


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
    assert case.amplification.of(claim.argument) > 1e5 * float(np.abs(claim.gradient).max())
