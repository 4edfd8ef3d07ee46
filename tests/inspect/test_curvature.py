"""Curvature against dense Hessians that know nothing of cnnbp, and against what gradient descent does."""

from itertools import product as cartesian

import numpy as np
import pytest

from cnnbp.inspect.curvature import Parabola, curvature_product, largest_curvature, largest_eigenvalue, parabola
from cnnbp.inspect.record import Model, gradient_at, record_batch
from cnnbp.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU, Tanh
from cnnbp.losses import CrossEntropy, MeanSquaredError
from cnnbp.network import Network
from tests.inspect.lecture import X, Y, derived, lecture_model
from tests.random_networks import random_network

IMAGES, LABELS = np.random.default_rng(5).normal(size=(3, 6)), np.arange(6) % 2


def dense_model(loss) -> Model:
    network = Network((3,), [Dense(units=4), Tanh(), Dense(units=2)])
    return Model(network, loss, network.initial_parameters(3, np.float64), {})


def written_out_loss(theta: np.ndarray) -> float:
    W1, b1, W2, b2 = theta[:12].reshape(4, 3), theta[12:16], theta[16:24].reshape(2, 4), theta[24:]
    z = W2 @ np.tanh(W1 @ IMAGES + b1[:, None]) + b2[:, None]
    return float(np.mean(np.log(np.exp(z).sum(axis=0)) - z[LABELS, np.arange(6)]))


def dense_hessian(loss, theta: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """Return all second differences, extrapolated from two steps."""

    def differences(h: float) -> np.ndarray:
        H, steps = np.zeros((len(theta), len(theta))), h * np.eye(len(theta))
        for i, j in cartesian(range(len(theta)), repeat=2):
            corners = [a * b * loss(theta + a * steps[i] + b * steps[j]) for a, b in cartesian((1, -1), repeat=2)]
            H[i, j] = sum(corners) / (4 * h * h)
        return H

    return (4 * differences(h / 2) - differences(h)) / 3


def test_the_largest_curvature_is_the_largest_eigenvalue_of_the_dense_hessian():
    model = dense_model(CrossEntropy())
    expected = dense_hessian(written_out_loss, model.params.vector)
    product = curvature_product(record_batch(model, IMAGES, LABELS))
    np.testing.assert_allclose([product(v) for v in np.eye(26)], expected, atol=1e-6)
    found = largest_eigenvalue(product, 26)
    assert found.largest == pytest.approx(np.linalg.eigvalsh(expected)[-1], rel=1e-4)
    assert found.longest_rate == pytest.approx(2 / found.largest)
    assert found.error <= 1e-3 * found.largest


def test_the_lectures_hessian_is_the_difference_of_gradients_made_with_loops():
    model = lecture_model()

    def gradient(theta: np.ndarray) -> np.ndarray:
        found = derived(X, Y, theta[:9].reshape(1, 1, 3, 3), theta[9:10], theta[10:14].reshape(1, 4), theta[14:])
        return np.concatenate([found[f"∂L/∂{name}"].sum(axis=-1).ravel() for name in ("W1", "b1", "W2", "b2")])

    theta, h = model.params.vector, 1e-5
    expected = [(gradient(theta + h * v) - gradient(theta - h * v)) / (2 * h) for v in np.eye(15)]
    product = curvature_product(record_batch(model, X, Y))
    np.testing.assert_allclose([product(v) for v in np.eye(15)], expected, atol=1e-9)
    assert largest_eigenvalue(product, 15).largest == pytest.approx(np.linalg.eigvalsh(expected)[-1], rel=1e-4)


@pytest.mark.parametrize("seed", range(40))
def test_products_are_differences_of_gradients_linear_and_symmetric_in_random_networks(seed):
    drawn = random_network(seed)
    model = Model(drawn.network, drawn.loss, drawn.params, drawn.state)
    record = record_batch(model, drawn.x, drawn.labels, dropout=True)
    product, theta, h = curvature_product(record), record.tape.params.vector, 1e-6
    u, v = np.random.default_rng(seed).normal(size=(2, drawn.params.vector.size))
    Hu, Hv = product(u), product(v)
    difference = (gradient_at(record, theta + h * u) - gradient_at(record, theta - h * u)) / (2 * h)
    np.testing.assert_allclose(Hu, difference, rtol=0, atol=1e-6 * np.abs(difference).max(initial=1e-9))
    scale = np.linalg.norm(Hu) * np.linalg.norm(v) + np.linalg.norm(Hv) * np.linalg.norm(u)
    assert abs(u @ Hv - v @ Hu) <= 1e-12 * scale
    np.testing.assert_allclose(product(u - 2 * v), Hu - 2 * Hv, atol=1e-12 * (scale + 1e-30))


def test_units_that_are_exactly_0_stay_on_their_side():
    network = Network((1, 4, 4), [Conv2d(filters=2, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=2)])
    model = Model(network, CrossEntropy(), network.initial_parameters(0, np.float64), {})
    rng = np.random.default_rng(6)
    x = rng.normal(size=(1, 4, 4, 2))
    x[..., 0] = 0  # all black: what the ReLU reads is its bias, 0
    product = curvature_product(record_batch(model, x, np.array([0, 1])))
    v = rng.normal(size=model.params.vector.size)
    assert np.abs(product(v)).max() > 0
    np.testing.assert_array_equal(product(-v), -product(v))


class Real(Tanh):
    """Forgets what is imaginary, as code that knows nothing of the complex step."""

    type = "real"

    def forward(self, params, x, ctx):
        return super().forward(params, x.real, ctx)


def test_a_layer_that_is_not_cnnbps_own_is_differentiated_by_differences():
    theirs = Network((3,), [Dense(units=4), Real(), Dense(units=2)])
    model, v = dense_model(CrossEntropy()), np.random.default_rng(6).normal(size=26)
    found = curvature_product(record_batch(Model(theirs, model.loss, model.params, {}), IMAGES, LABELS))(v)
    np.testing.assert_allclose(found, curvature_product(record_batch(model, IMAGES, LABELS))(v), rtol=1e-6)


@pytest.mark.parametrize(
    ("eigenvalues", "largest"), [((-5, 3, 1), 3), ((5, -3, 1), 5), ((-5, -3, -1), -1), ((0, 0), 0)]
)
def test_the_largest_eigenvalue_is_found_also_below_others_that_are_larger_in_size(eigenvalues, largest):
    Q, _ = np.linalg.qr(np.random.default_rng(6).normal(size=(len(eigenvalues),) * 2))
    H = Q * np.array(eigenvalues, float) @ Q.T
    found = largest_eigenvalue(lambda v: H @ v, len(H))
    assert found.largest == pytest.approx(largest, abs=1e-4)
    assert (found.longest_rate is None) == (largest <= 0)


def test_gradient_descent_falls_below_two_over_lambda_and_explodes_above_it():
    network = Network((3,), [Dense(units=2)])  # with squared errors a parabola, whose curvature is the same everywhere
    params = network.initial_parameters(3, np.float64)
    model = Model(network, MeanSquaredError(), params, {})
    first = record_batch(model, IMAGES, LABELS)
    longest = largest_curvature(first).longest_rate
    losses = []
    for share in (0.97, 1.03):
        theta = params.copy()
        for _ in range(400):
            record = record_batch(Model(network, model.loss, theta, {}), IMAGES, LABELS)
            theta.vector[:] -= share * longest * record.gradient.vector
        losses.append(record.loss)
    assert losses[0] < first.loss < 1e3 * first.loss < losses[1]


def test_the_parabola_is_the_loss_to_second_order():
    model = dense_model(CrossEntropy())
    record, step = record_batch(model, IMAGES, LABELS), 1e-4 * np.random.default_rng(6).normal(size=26)
    found = parabola(record, step)
    change = written_out_loss(model.params.vector + step) - written_out_loss(model.params.vector)
    assert abs(found.change - change) < 0.05 * abs(found.slope - change)


def test_the_parabola_reaches_as_far_as_it_is_below_its_start():
    assert Parabola(-1.0, 4.0).reach == 0.5
    assert Parabola(-1.0, -4.0).reach is None
    assert Parabola(1.0, 4.0).reach is None
