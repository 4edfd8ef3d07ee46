import numpy as np
import pytest

from cnnbp.inspect.record import Model, Record, dropout_masks, image_gradients, record_batch
from cnnbp.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network
from tests.random_networks import random_network

UNCOUPLED = [seed for seed in range(40) if not any(node.is_coupled for node in random_network(seed).network.nodes)]


def recorded(seed: int, *, dropout: bool) -> Record:
    drawn = random_network(seed)
    model = Model(drawn.network, drawn.loss, drawn.params, drawn.state)
    return record_batch(model, drawn.x, drawn.labels, dropout=dropout, seed=seed)


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("seed", UNCOUPLED)
def test_the_gradients_of_the_images_add_up_to_the_batchs(seed, dropout):
    record = recorded(seed, dropout=dropout)
    shares = sum(share.vector for share in image_gradients(record))
    scale = np.abs(record.gradient.vector).max(initial=0)
    np.testing.assert_allclose(shares, record.gradient.vector, rtol=0, atol=1e-13 * scale, err_msg=f"seed {seed}")


def test_most_random_networks_do_not_couple_their_images():
    assert len(UNCOUPLED) >= 10


def dropping(x: np.ndarray, *, dropout: bool) -> Record:
    network = Network((20,), [Dropout(p=0.5), Dense(units=2)])
    model = Model(network, CrossEntropy(), network.initial_parameters(0), {})
    return record_batch(model, x, np.array([0, 1]), dropout=dropout, seed=7)


def test_dropout_is_off_unless_asked_for():
    x = np.ones((20, 2))
    calm, dropped = dropping(x, dropout=False), dropping(x, dropout=True)
    np.testing.assert_array_equal(calm.tape.values[0], x)
    assert dropout_masks(calm.tape) == {}
    mask = dropout_masks(dropped.tape)[0]
    np.testing.assert_array_equal(dropped.tape.values[0], 2 * mask)
    assert 0 < mask.mean() < 1


def test_batch_norm_uses_the_batchs_statistics_and_leaves_the_running_ones_alone():
    network = Network((2, 3, 3), [BatchNorm(), Conv2d(filters=1, kernel=3), Flatten(), Dense(units=2)])
    state = network.initial_state()
    x = np.random.default_rng(0).normal(3, 2, size=(2, 3, 3, 5))
    record = record_batch(Model(network, CrossEntropy(), network.initial_parameters(0), state), x, np.arange(5) % 2)
    np.testing.assert_allclose(record.tape.values[0].mean(axis=(1, 2, 3)), 0, atol=1e-12)
    np.testing.assert_array_equal(state["batchnorm1"]["running_mean"], 0)
    assert record.couples_images


def test_everything_is_worked_out_in_float64():
    record = dropping(np.ones((20, 2), np.float32), dropout=False)
    assert record.model.params.vector.dtype == np.float32
    assert {array.dtype for array in (*record.tape.values, *record.tape.gradients)} == {np.dtype(np.float64)}
    assert record.gradient.vector.dtype == np.float64
