"""A step is shown to an observer as the engine runs it: the same losses and the same gradient, to the bit."""

from collections import defaultdict

import numpy as np
import pytest

from cnnbp.engine import Engine, MicroBatch
from cnnbp.fast import as_written
from cnnbp.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool2d, MaxPool2d, ReLU, Residual
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network

CONV = Conv2d(filters=8, kernel=3, pad=1)
LAYERS = [
    Conv2d(filters=8, kernel=5, pad=2),
    ReLU(),
    MaxPool2d(kernel=2),
    BatchNorm(),
    Dropout(p=0.3),
    Residual(layers=[CONV, BatchNorm(), ReLU()]),
    GlobalAvgPool2d(),
    Flatten(),
    Dense(units=2),
]


class Sums:
    """Adds up each output and each ∂L/∂output when it is shown."""

    def __init__(self):
        self.forwards, self.backwards = defaultdict(float), defaultdict(float)

    def forward(self, tape, operation):
        self.forwards[operation.output] += tape.values[operation.output].astype(float).sum()

    def backward(self, tape, operation):
        self.backwards[operation.output] += tape.gradients[operation.output].astype(float).sum()


@pytest.fixture
def job():
    """An engine, parameters, running statistics, and a batch of three micro-batches."""
    network, rng = Network((3, 16, 16), LAYERS), np.random.default_rng(0)
    batch = [MicroBatch(rng.normal(size=(3, 16, 16, m)).astype(np.float32), rng.integers(0, 2, m)) for m in (8, 8, 5)]
    with Engine(network, CrossEntropy(), threads=2, seed=3) as engine:
        yield engine, network.initial_parameters(0), network.initial_state(), batch


def test_it_gives_the_losses_the_gradient_and_the_statistics_of_the_step(job):
    engine, params, state, batch = job
    expected, seen = engine.step(params, state, batch, 5), engine.observe(Sums(), params, state, batch, 5)
    np.testing.assert_array_equal(seen.losses, expected.losses)
    np.testing.assert_array_equal(seen.gradient.vector, expected.gradient.vector)
    np.testing.assert_equal(seen.state, expected.state)


def test_outside_of_training_it_gives_the_losses_of_use(job):
    engine, params, state, batch = job
    expected = engine.infer(params, state, batch)
    np.testing.assert_equal(engine.observe_inference(Sums(), params, state, batch).losses, expected.losses)


def test_as_written_every_node_is_shown_in_both_directions_and_to_what_is_fast_but_for_rounding(job):
    engine, params, state, batch = job
    written, fast = Sums(), Sums()
    result = engine.observe(written, params, state, batch, 5, as_written)
    gradient = engine.observe(fast, params, state, batch, 5).gradient.vector
    count = len(engine.network.nodes)
    assert list(written.forwards) == list(range(count))
    assert list(written.backwards) == list(reversed(range(count)))
    assert 2 not in written.forwards.keys() - fast.forwards.keys()  # the pool, with its convolution
    for kept in ("forwards", "backwards"):
        for index, total in getattr(fast, kept).items():
            np.testing.assert_allclose(total, getattr(written, kept)[index], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(result.gradient.vector, gradient, rtol=0, atol=1e-5 * abs(gradient).max())
