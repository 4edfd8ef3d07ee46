import numpy as np
import pytest

from cnnbp.fast.strip_conv import pools_in_strips, strips_of
from cnnbp.layers import Conv2d, MaxPool2d

POOL = MaxPool2d(kernel=2)
CONV = Conv2d(filters=16, kernel=3, pad=1)


@pytest.mark.parametrize(
    ("options", "shape", "M"),
    [
        ({"filters": 8}, (16, 16, 16), 8),  # few rows in the products
        ({}, (3, 16, 16), 8),
        ({}, (16, 16, 64), 2),  # small pixels
        ({"kernel": [2, 3], "pad": "same"}, (16, 16, 16), 8),  # two rows of weights
        ({"pad": 3}, (16, 16, 16), 32),  # windows that see nothing but padding
        ({"pad": 0}, (16, 16, 16), 8),  # strips as wide as x would not be strips of y
        ({"stride": 2}, (16, 16, 16), 8),
        ({"dilation": 2, "pad": 2}, (16, 16, 16), 8),
        ({"groups": 2}, (32, 16, 16), 8),
        ({}, (16, 16, 17), 8),  # strips do not divide the width
        ({}, (16, 16, 8), 4),  # strips narrower than a window
    ],
)
def test_other_convolutions_do_not_work_in_strips(options, shape, M):
    assert strips_of(CONV, (16, 16, 16), 8, np.float32) == 4
    assert strips_of(Conv2d(**{"filters": 16, "kernel": 3, "pad": 1, **options}), shape, M, np.float32) == 0


def test_float64_in_which_gradients_are_checked_does_not_work_in_strips():
    assert strips_of(CONV, (16, 16, 16), 8, np.float64) == 0


def test_a_strip_with_an_odd_row_or_column_is_not_pooled_at_once():
    assert pools_in_strips(CONV, POOL, (16, 16, 16), 4)
    assert not pools_in_strips(CONV, POOL, (16, 15, 16), 4)
    assert not pools_in_strips(CONV, POOL, (16, 16, 12), 4)
    assert not pools_in_strips(CONV, MaxPool2d(kernel=3), (16, 16, 16), 4)
