import numpy as np
import pytest

from cnnbp.gradcheck import check_functions

RNG = np.random.default_rng(0)
W1, W2, BIAS = RNG.normal(size=(12, 9)), RNG.normal(size=(9, 5)), np.zeros(9)
BLACK = RNG.normal(size=(6, 12)) * (np.arange(6) < 2)[:, None]  # four of six images are black: every unit stands at 0


def two_layers(x, w1, b1, w2):
    z = x @ w1 + b1
    h = np.maximum(z, 0)
    return h @ w2, (x, w1, w2, z, h)


def backward(dy, cache, at_zero=0.0):
    x, w1, w2, z, h = cache
    dz = (dy @ w2.T) * np.where(z == 0, at_zero, z > 0)
    return dz @ w1.T, x.T @ dz, dz.sum(axis=0), h.T @ dy


@pytest.mark.parametrize("at_zero", [0.0, 1.0, 0.5])
def test_where_many_kinks_meet_any_side_of_each_is_right(at_zero):
    def chosen(dy, cache):
        return backward(dy, cache, at_zero)

    check_functions(two_layers, chosen, BLACK, W1, BIAS, W2).raise_if_wrong()


def test_a_gradient_that_is_none_of_those_around_it_is_wrong():
    def beyond(dy, cache):
        return backward(dy, cache, 2.0)

    assert check_functions(two_layers, beyond, BLACK, W1, BIAS, W2).verdict == "fail"


def test_a_gradient_that_is_wrong_beside_the_kinks_is_wrong_at_them_too():
    def doubled(dy, cache):
        dx, dw1, db1, dw2 = backward(dy, cache)
        return dx, 2 * dw1, db1, dw2

    report = check_functions(two_layers, doubled, BLACK, W1, BIAS, W2)
    assert [tensor.verdict for tensor in report.layers[0].tensors] == ["pass", "fail", "pass", "pass"]


def test_only_at_zero_wrong_where_a_function_is_smooth_is_wrong():
    def forward(x):
        return x * x, x

    assert check_functions(forward, lambda dy, x: dy * (2 * x + (x == 0)), BLACK).verdict == "fail"
