"""The gradients' noise and agreement, against loops over images that are run one by one."""

from itertools import permutations

import numpy as np
import pytest

from cnnbp.inspect.noise import Agreement, Noise, by_class, measure_shares
from cnnbp.inspect.record import Model, Record, image_gradients, record_batch
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, Tanh
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network
from tests.inspect.lecture import X, Y, by_hand, lecture_model

LECTURE = record_batch(lecture_model(), X, Y)


def lecture_gradients() -> np.ndarray:
    """Return the gradient of each image's own loss by hand, (M, N)."""
    found = by_hand(lecture_model())
    shares = [found[f"∂L/∂{name}"].reshape(-1, len(Y)) for name in ("W1", "b1", "W2", "b2")]
    return len(Y) * np.concatenate(shares).T


def measured(record: Record):
    return measure_shares(record, image_gradients(record, by_class(record.labels)))


def test_the_variance_is_that_of_every_entry_and_the_signal_what_is_left_of_the_gradient():
    gradients = lecture_gradients()
    noise, mean = measured(LECTURE).noise, gradients.mean(axis=0)
    trace = sum(np.var(entry, ddof=1) for entry in gradients.T)
    assert noise.variance == pytest.approx(trace)
    assert noise.signal == pytest.approx(mean @ mean - trace / 4)
    assert noise.signal_to_noise == pytest.approx(4 * noise.signal / trace)


def test_the_estimates_are_those_of_mccandlish_for_batches_of_one_and_of_all_images():
    norms, of_mean = np.array([3.0, 2.0, 4.0, 1.0]), 2.2
    small, big, M = np.mean(norms**2), of_mean**2, 4
    signal = (M * big - 1 * small) / (M - 1)
    variance = (small - big) / (1 / 1 - 1 / M)
    noise = Noise.of(norms, of_mean)
    assert (noise.signal, noise.variance) == (pytest.approx(signal), pytest.approx(variance))
    assert noise.scale == pytest.approx(variance / signal)


def test_both_are_right_on_average():
    rng = np.random.default_rng(0)
    truth, deviation = np.array([0.5, -1.0, 0.25]), np.array([1.0, 2.0, 0.5])
    found = []
    for _ in range(4000):
        gradients = truth + deviation * rng.normal(size=(6, 3))
        found.append(Noise.of(np.linalg.norm(gradients, axis=1), np.linalg.norm(gradients.mean(axis=0))))
    assert np.mean([noise.variance for noise in found]) == pytest.approx(deviation @ deviation, rel=0.02)
    assert np.mean([noise.signal for noise in found]) == pytest.approx(truth @ truth, rel=0.05)


def test_noise_that_hides_the_signal_gives_no_scale_and_images_that_are_alike_have_none():
    assert Noise.of(np.array([1.0, 1.0]), 0.0).scale is None
    alike = Noise.of(np.array([2.0, 2.0]), 2.0)
    assert (alike.variance, alike.scale, alike.signal_to_noise) == (0, 0, None)


def test_one_image_scatters_around_nothing():
    record = record_batch(lecture_model(), X[..., :1], Y[:1])
    assert measured(record).noise is None
    assert measured(record).agreement == Agreement(None, None, None, 0)


def test_the_cosines_are_those_of_all_pairs():
    gradients = lecture_gradients()
    units = [gradient / np.linalg.norm(gradient) for gradient in gradients]
    pairs = [(Y[i] == Y[j], units[i] @ units[j]) for i, j in permutations(range(4), 2)]
    agreement = measured(LECTURE).agreement
    assert agreement.all == pytest.approx(np.mean([cosine for _, cosine in pairs]))
    assert agreement.same_class == pytest.approx(np.mean([cosine for same, cosine in pairs if same]))
    assert agreement.other_class == pytest.approx(np.mean([cosine for same, cosine in pairs if not same]))
    assert agreement.against == sum(gradient @ gradients.mean(axis=0) < 0 for gradient in gradients)


def test_the_norms_are_in_the_order_of_the_batch_and_each_parameter_has_its_own():
    shares, gradients = measured(LECTURE), lecture_gradients() / 4
    np.testing.assert_allclose(shares.norms, np.linalg.norm(gradients, axis=1))
    np.testing.assert_allclose(shares.parameters["dense1.W"], np.linalg.norm(gradients[:, 10:14], axis=1))


def test_through_batch_norm_an_images_gradient_is_that_of_its_own_loss():
    network = Network((1, 4, 4), [Conv2d(filters=2, kernel=3), BatchNorm(), Tanh(), Flatten(), Dense(units=2)])
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(1, 4, 4, 3)), np.array([0, 1, 1])
    params = network.initial_parameters(0, np.float64)
    model = Model(network, CrossEntropy(), params, network.initial_state())
    for m, gradient in enumerate(image_gradients(record_batch(model, x, labels))):
        expected = np.zeros(params.vector.size)
        for entry in range(params.vector.size):
            losses = []
            for h in (1e-6, -1e-6):
                moved = params.copy()
                moved.vector[entry] += h
                losses.append(record_batch(Model(network, model.loss, moved, model.state), x, labels).losses[m])
            expected[entry] = (losses[0] - losses[1]) / 2e-6
        np.testing.assert_allclose(3 * gradient.vector, expected, atol=1e-8)
