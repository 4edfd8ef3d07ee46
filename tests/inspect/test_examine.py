import numpy as np
import pytest

from cnnbp.inspect.examine import Inspection, inspect_batch, is_small
from cnnbp.inspect.images import Images
from cnnbp.inspect.record import Model
from cnnbp.inspect.step import ParameterStep
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, ReLU
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network
from cnnbp.optimizers import SGD, Adam
from tests.inspect.lecture import X, Y, lecture_model

IMAGES = Images(X, Y, ["a.png", "b.png", "c.png", "d.png"], ["no", "yes"], [2, 2], "somewhere")


@pytest.fixture(scope="module")
def lecture() -> Inspection:
    return inspect_batch(lecture_model(), IMAGES, SGD(lr=0.1))


def test_the_images_come_by_loss_with_their_names_and_gradients(lecture):
    losses = [image.loss for image in lecture.images]
    assert losses == sorted(losses, reverse=True)
    assert {image.name for image in lecture.images} == {"a.png", "b.png", "c.png", "d.png"}
    worst = lecture.images[0]
    m = worst.index
    assert IMAGES.names[m] == worst.name
    np.testing.assert_allclose(worst.loss, -np.log(worst.probability))
    stacks = [step.images[..., m].ravel() for step in lecture.backward if isinstance(step, ParameterStep)]
    np.testing.assert_allclose(worst.gradient_norm, np.linalg.norm(np.concatenate(stacks)))


def test_a_tensor_is_summed_up_in_its_line(lecture):
    A1 = next(step.value for step in lecture.forward if step.symbol == "A1")
    line = next(line for line in lecture.forward_chain if line.symbol == "A1")
    assert (line.layer, line.shape) == ("relu1", (1, 4, 4, 4))
    assert (line.mean, line.std, line.min, line.max) == (A1.mean(), A1.std(), 0, A1.max())
    assert line.zeros == np.mean(A1 == 0)


def test_a_parameter_is_summed_up_with_the_spread_of_its_images(lecture):
    line = next(line for line in lecture.parameters if line.name == "dense1.W")
    stack = next(step.images for step in lecture.backward if step.symbol == "∂L/∂W2")
    norms = np.linalg.norm(stack[0], axis=0)
    np.testing.assert_allclose(line.gradient_norm, np.linalg.norm(stack.sum(axis=-1)))
    np.testing.assert_allclose(line.ratio, line.gradient_norm / line.norm)
    np.testing.assert_allclose([line.images.min, line.images.max], [norms.min(), norms.max()])
    np.testing.assert_allclose(line.images.agreement, line.gradient_norm / norms.sum())


def test_one_step_along_the_gradient_lets_the_loss_fall(lecture):
    model, gradient = lecture.record.model, lecture.record.gradient
    np.testing.assert_allclose(lecture.update.params.vector, model.params.vector - 0.1 * gradient.vector)
    assert lecture.update.loss_before == lecture.record.loss
    assert lecture.update.loss_after < lecture.update.loss_before


def test_the_update_is_the_optimizers_own_first_step():
    update = inspect_batch(lecture_model(), IMAGES, Adam(lr=0.01)).update
    moved = update.params.vector - lecture_model().params.vector
    np.testing.assert_allclose(np.abs(moved[np.abs(moved) > 0]), 0.01, rtol=1e-4)


def test_the_model_itself_is_not_moved():
    model = lecture_model()
    inspect_batch(model, IMAGES, SGD(lr=0.1))
    np.testing.assert_array_equal(model.params.vector, lecture_model().params.vector)


def test_a_network_is_small_when_its_numbers_can_be_read_one_by_one():
    assert is_small(lecture_model().network)
    assert not is_small(Network((1, 8, 8), [Conv2d(filters=16, kernel=3), Flatten(), Dense(units=10)]))


def coupled_model() -> Model:
    network = Network((1, 6, 6), [Conv2d(filters=2, kernel=3), BatchNorm(), ReLU(), Flatten(), Dense(units=2)])
    return Model(network, CrossEntropy(), network.initial_parameters(0), network.initial_state())


def test_coupled_images_have_gradients_but_no_terms_in_a_sum_that_could_be_shown():
    found = inspect_batch(coupled_model(), IMAGES, SGD())
    steps = [step for step in found.backward if isinstance(step, ParameterStep)]
    assert all(step.images is None for step in steps)
    assert all(image.gradient_norm > 0 for image in found.images)
    assert found.noise.images == 4


def test_what_takes_long_is_left_out_unless_it_is_asked_for(monkeypatch):
    monkeypatch.setattr("cnnbp.inspect.noise._QUICK", 100)
    monkeypatch.setattr("cnnbp.inspect.curvature._QUICK", 100)
    found = inspect_batch(coupled_model(), IMAGES, SGD())
    assert (found.noise, found.agreement, found.curvature) == (None, None, None)
    assert all(line.images is None for line in found.parameters)
    assert all(image.gradient_norm is None and image.input_gradient_norm > 0 for image in found.images)
    found = inspect_batch(coupled_model(), IMAGES, SGD(), thorough=True)
    assert None not in (found.noise, found.agreement, found.curvature)


def test_a_step_that_is_too_long_is_longer_than_the_parabola_reaches():
    short, long = (inspect_batch(lecture_model(), IMAGES, SGD(lr=lr)).update for lr in (0.01, 1000))
    assert short.longest_rate == pytest.approx(long.longest_rate)
    assert 0.01 < short.longest_rate < 1000
    assert long.loss_after > long.loss_before
    assert short.loss_after - short.loss_before == pytest.approx(short.parabola.change, rel=1e-3)
