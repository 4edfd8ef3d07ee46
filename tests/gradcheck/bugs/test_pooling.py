"""A pool's mistakes, by hand on one or two windows."""

import numpy as np
import pytest

from cnnbp.gradcheck.bugs import plant
from cnnbp.layers import AvgPool2d, Context, Dense, Flatten, MaxPool2d
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network


def backward(bug, layer, x, dy):
    network = Network(x.shape[:-1], [layer, Flatten(), Dense(units=2)])
    broken, _ = plant(network, CrossEntropy(), f"{network.nodes[0].name}:{bug}")
    _, cache = broken.nodes[0].layer.forward({}, x, Context(training=True))
    dx, _ = broken.nodes[0].layer.backward({}, cache, dy, Context(training=True))
    return dx[0, :, :, 0].tolist()


@pytest.mark.parametrize(
    ("bug", "expected"),
    [
        ("all-ties", [[0, 8], [8, 0]]),
        ("last-maximum", [[0, 0], [8, 0]]),
        ("argmax-swapped", [[0, 0], [8, 0]]),
        ("spread-to-all", [[2, 2], [2, 2]]),
    ],
)
def test_a_tied_maximum_sends_its_gradient_where_the_mistake_says(bug, expected):
    x = np.array([[1.0, 5.0], [5.0, 2.0]]).reshape(1, 2, 2, 1)
    assert backward(bug, MaxPool2d(kernel=2), x, np.full((1, 1, 1, 1), 8.0)) == expected


def test_windows_that_share_their_maximum_overwrite_each_other():
    x = np.array([[1.0, 9.0, 2.0]]).reshape(1, 1, 3, 1)
    dy = np.array([3.0, 4.0]).reshape(1, 1, 2, 1)
    assert backward("overlap-overwritten", MaxPool2d(kernel=(1, 2), stride=1), x, dy) == [[0, 3, 0]]


@pytest.mark.parametrize(("bug", "each"), [("not-divided", 8), ("divided-by-k", 4)])
def test_an_average_that_is_not_divided_as_it_should(bug, each):
    x = np.arange(4.0).reshape(1, 2, 2, 1)
    assert backward(bug, AvgPool2d(kernel=2), x, np.full((1, 1, 1, 1), 8.0)) == [[each, each], [each, each]]
