import numpy as np

from cnnbp.inspect.attention import class_activation, saliency
from cnnbp.inspect.record import Model, record_batch
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, GlobalAvgPool2d, MaxPool2d, ReLU
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy
from cnnbp.network import Network
from tests.inspect.lecture import X, Y, lecture_model

FILTERS = [Conv2d(filters=3, kernel=3), ReLU()]


def recorded(layers, loss, seed=3):
    network = Network((1, 6, 6), layers)
    model = Model(network, loss, network.initial_parameters(seed, np.float64), network.initial_state())
    return record_batch(model, X, Y)


def test_behind_a_global_mean_the_maps_are_the_classes_weights_over_the_activations():
    """CAM, which Grad-CAM generalises (Zhou et al. 2016): α_c is the dense layer's weight, divided by the places."""
    record = recorded([*FILTERS, GlobalAvgPool2d(), Flatten(), Dense(units=2)], CrossEntropy())
    found = class_activation(record, [1, 0])
    A, W = record.tape.values[1], record.model.params["dense1"]["W"]
    assert (found.layer, found.classes, found.maps.shape) == (1, (1, 0), (2, 4, 4, 4))
    for maps, label in zip(found.maps, found.classes, strict=True):
        expected = np.maximum(np.einsum("c,chwm->hwm", W[label] / 16, A), 0)
        np.testing.assert_allclose(maps, expected, atol=1e-15)


def test_a_single_logit_speaks_for_the_second_class_and_against_the_first():
    record = recorded([*FILTERS, MaxPool2d(kernel=2), Flatten(), Dense(units=1)], BinaryCrossEntropy(), seed=9)
    first, second = class_activation(record, [0, 1]).maps
    assert first.any()
    assert second.any()
    assert not (first * second).any()


def test_each_image_has_its_own_logits_slope_where_batch_norm_couples_them():
    layers = [Conv2d(filters=2, kernel=3), ReLU(), Flatten(), Dense(units=3), BatchNorm(), Dense(units=2)]
    record = recorded(layers, CrossEntropy())
    A, params = record.tape.values[1], record.model.params

    def logit(A, m):
        z = params["dense1"]["W"] @ A.reshape(-1, 4) + params["dense1"]["b"][:, None]
        z = (z - z.mean(axis=1, keepdims=True)) / np.sqrt(z.var(axis=1, keepdims=True) + 1e-5)
        return (params["dense2"]["W"] @ z)[1, m]

    alpha, h = np.zeros((2, 4)), 1e-5
    for c, m in np.ndindex(2, 4):
        step = np.zeros_like(A)
        step[c, :, :, m] = h  # all places at once: the sum of the slopes
        alpha[c, m] = (logit(A + step, m) - logit(A - step, m)) / (2 * h) / 16
    expected = np.maximum(np.einsum("cm,chwm->hwm", alpha, A), 0)
    np.testing.assert_allclose(class_activation(record, [1]).maps[0], expected, atol=1e-8)


def test_the_record_itself_keeps_its_gradients():
    record = record_batch(lecture_model(), X, Y)
    before = [np.copy(gradient) for gradient in record.tape.gradients]
    class_activation(record, [0])
    for gradient, kept in zip(record.tape.gradients, before, strict=True):
        np.testing.assert_array_equal(gradient, kept)


def test_a_network_without_convolutions_has_no_maps():
    assert class_activation(recorded([Flatten(), Dense(units=1)], BinaryCrossEntropy()), [0]) is None


def test_saliency_is_the_largest_slope_of_a_pixels_channels():
    record = record_batch(lecture_model(), X, Y)
    np.testing.assert_array_equal(saliency(record), np.abs(record.tape.gradients[-1][0]))
