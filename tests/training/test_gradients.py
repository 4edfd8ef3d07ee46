"""Norms and ratios of one step, against arithmetic by hand."""

from math import isnan, sqrt

import numpy as np
import pytest

from cnnbp.parameters import Layout, Parameters
from cnnbp.training.gradients import tensor_steps, total_update_ratio

LAYOUT = Layout({"conv1": {"W": (2, 1), "b": (2,)}})


def parameters(*numbers):
    return Parameters(LAYOUT, np.array(numbers, np.float32))


def steps():
    return tensor_steps(parameters(3, 4, 0, 0), parameters(3, 4.5, 1, 0), parameters(6, 8, 2, 4))


def test_each_tensor_has_its_norms_and_ratios():
    weights, bias = steps()
    assert (weights.name, weights.shape, bias.name) == ("conv1.W", (2, 1), "conv1.b")
    assert (weights.parameter_norm, weights.gradient_norm, weights.update_norm) == (5, 10, 0.5)
    assert (weights.gradient_ratio, weights.update_ratio) == (2, 0.1)
    assert (weights.gradient_mean, weights.gradient_std) == (7, 1)


def test_a_tensor_of_zeros_has_no_ratio():
    _, bias = steps()
    assert isnan(bias.gradient_ratio)
    assert isnan(bias.update_ratio)


def test_the_whole_network_moves_as_one_vector():
    assert total_update_ratio(steps()) == pytest.approx(sqrt(0.5**2 + 1) / 5)
    assert total_update_ratio([]) == 0
