import numpy as np

from cnnbp.gradcheck.textbook import central_differences
from cnnbp.layers import AvgPool2d, BatchNorm, Conv2d, Dense, Flatten, GroupNorm, Residual, Tanh
from tests.gradcheck.points import point

EVERYTHING = (
    Conv2d(filters=4, kernel=3),
    GroupNorm(groups=2),
    Residual(layers=[Conv2d(filters=4, kernel=3, pad="same"), BatchNorm(), Tanh()]),
    AvgPool2d(kernel=2),
    Flatten(),
    Dense(units=3),
)


def test_the_slopes_of_a_parabola_are_exact_and_theta_is_put_back():
    theta = np.array([[1.0, -2.0], [0.5, 0.0]])
    slopes = central_differences(lambda: float((theta**2).sum()), theta)
    np.testing.assert_allclose(slopes, [[2, -4], [1, 0]], atol=1e-11)
    np.testing.assert_array_equal(theta, [[1, -2], [0.5, 0]])


def test_a_network_gives_the_slopes_of_its_loss():
    at = point(EVERYTHING, shape=(2, 6, 7))
    tape, logits = at.forward()
    _, cache = at.loss.forward(logits, at.labels)
    gradient = at.backward(tape, at.loss.backward(cache, len(at.labels)))

    def mean_loss():
        return float(at.loss.forward(at.forward()[1], at.labels)[0].mean())

    numeric = central_differences(mean_loss, at.params.vector)
    np.testing.assert_allclose(gradient.vector, numeric, rtol=0, atol=1e-7 * np.abs(numeric).max())
