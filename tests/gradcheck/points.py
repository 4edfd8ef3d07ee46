"""Small networks at a point, for the tests of the checker's parts."""

import numpy as np

from cnnbp.gradcheck.point import Point
from cnnbp.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, MaxPool2d, ReLU, Tanh
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network

PLAIN = (Conv2d(filters=2, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=3))
SMOOTH = (Conv2d(filters=2, kernel=3), Tanh(), Flatten(), Dense(units=3))
NORMALISED = (Conv2d(filters=2, kernel=3), BatchNorm(), ReLU(), Flatten(), Dropout(p=0.3), Dense(units=3))


def point(layers=PLAIN, images=3, loss=None, shape=(1, 6, 7), seed=0):
    """Return a network at its first parameters, on noise."""
    network = Network(shape, list(layers))
    x = np.random.default_rng([seed, 1]).normal(size=(*shape, images))
    labels = np.arange(images) % max(network.output_shape[0], 2)
    params = network.initial_parameters(seed, np.float64)
    return Point(network, loss or CrossEntropy(), params, network.initial_state(), x, labels)
