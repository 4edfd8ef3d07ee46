import math
from typing import get_args

import numpy as np
import pytest

from cnnbp.layers.initialisers import Initialiser, draw

FAN_IN, FAN_OUT = 50, 30
EXPECTED = {
    "he": math.sqrt(2 / 50),
    "xavier": math.sqrt(2 / 80),
    "lecun": math.sqrt(1 / 50),
    "normal": 0.01,
    "zeros": 0.0,
}


def test_every_initialiser_is_tried_here():
    assert EXPECTED.keys() == {*get_args(Initialiser)}


@pytest.mark.parametrize(("initialiser", "deviation"), EXPECTED.items())
def test_weights_are_spread_around_zero_as_the_initialiser_says(initialiser, deviation):
    W = draw(initialiser, (30, 50, 20), FAN_IN, FAN_OUT, np.random.default_rng(0))
    assert W.shape == (30, 50, 20)
    assert abs(W.mean()) <= 4 * deviation / math.sqrt(W.size)
    np.testing.assert_allclose(W.std(), deviation, rtol=0.02)


def test_he_keeps_the_size_of_a_signal_through_many_relu_layers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 200))
    for _ in range(20):
        x = np.maximum(draw("he", (100, 100), 100, 100, rng) @ x, 0)
    assert 0.2 < (x**2).mean() < 5
