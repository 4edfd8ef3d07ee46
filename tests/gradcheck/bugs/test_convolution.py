"""The convolution's mistakes, by hand on a line of three numbers."""

import numpy as np
import pytest

from cnnbp.gradcheck.bugs import plant
from cnnbp.layers import Context, Conv2d, Dense, Flatten
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network

W = np.array([2.0, 3.0]).reshape(1, 1, 1, 2)
X = np.array([1.0, 10.0, 100.0]).reshape(1, 1, 3, 1)
DY = np.array([1.0, 5.0]).reshape(1, 1, 2, 1)


def backward(bug, layer, x, dy, W):
    network = Network(x.shape[:-1], [layer, Flatten(), Dense(units=2)])
    broken, _ = plant(network, CrossEntropy(), f"conv2d1:{bug}")
    params = {"W": W, "b": np.zeros(len(W))}
    _, cache = broken.nodes[0].layer.forward(params, x, Context(training=True))
    dx, gradients = broken.nodes[0].layer.backward(params, cache, dy, Context(training=True))
    return dx.ravel().tolist(), gradients["W"].ravel().tolist(), gradients["b"].ravel().tolist()


@pytest.mark.parametrize(
    ("bug", "dx", "dW", "db"),
    [
        ("dX-unflipped", [3, 17, 10], [51, 510], [6]),  # (W2·dy1, W1·dy1 + W2·dy2, W1·dy2)
        ("dX-overlap-overwritten", [2, 3, 15], [51, 510], [6]),  # in the order of W's places: the last one wins
        ("dW-flipped", [2, 13, 15], [510, 51], [6]),
        ("db-doubled", [2, 13, 15], [51, 510], [12]),
        ("db-spatial-mean", [2, 13, 15], [51, 510], [3]),
        ("dX-last-row-skipped", [0, 0, 0], [51, 510], [6]),
    ],
)
def test_a_mistake_gives_the_numbers_that_it_should(bug, dx, dW, db):
    found = backward(bug, Conv2d(filters=1, kernel=(1, 2)), X, DY, W)
    assert found == (dx, dW, db)


def test_a_stride_that_is_ignored_puts_windows_side_by_side():
    x = np.arange(4.0).reshape(1, 1, 4, 1)
    dx, _, _ = backward("dX-stride-ignored", Conv2d(filters=1, kernel=(1, 2), stride=(1, 2)), x, DY, W)
    assert dx == [2, 13, 15, 0]


def test_padding_that_is_cropped_too_early_moves_everything_on():
    x = np.arange(1.0, 4.0).reshape(1, 1, 3, 1)
    layer = Conv2d(filters=1, kernel=(1, 2), pad=(0, 1))
    dx, _, _ = backward("dX-crop-off-by-one", layer, x, np.array([1.0, 5.0, 7.0, 9.0]).reshape(1, 1, 4, 1), W)
    assert dx == [2, 13, 29]  # right: 13, 29, 39
