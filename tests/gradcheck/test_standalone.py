import doctest

import numpy as np
import pytest

from cnnbp.gradcheck import WrongGradientError, check_functions, check_layer, standalone
from cnnbp.gradcheck.foreign import functions
from cnnbp.layers import BatchNorm, Conv2d, Dense, Dropout, Layer, MaxPool2d, ReLU, Residual


def noise(*shape):
    return np.random.default_rng(3).normal(size=shape)


def integers(*shape):
    return np.random.default_rng(3).integers(-2, 3, shape).astype(float)


def affine(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)


AFFINE = noise(3, 4), noise(4, 5), np.zeros(5)
POOL = {"kernel": 2}
OPTIONS = {"conv2d": {"filters": 4, "kernel": 3}, "dense": {"units": 3}, "maxpool2d": POOL, "avgpool2d": POOL}


def test_the_examples_in_the_docstrings_run():
    for module, examples in ((standalone, 2), (functions, 4)):
        result = doctest.testmod(module)
        assert (result.failed, result.attempted) == (0, examples)


def test_a_block_is_checked_layer_by_layer():
    report = check_layer(Residual(layers=(Conv2d(filters=3, kernel=3, pad="same"), BatchNorm(), ReLU())), (3, 6, 5))
    assert [layer.name for layer in report.layers] == ["conv2d1", "batchnorm1", "relu1", "residual1"]
    report.raise_if_wrong()


class Unflipped(Conv2d):
    """A convolution that forgets to turn its kernel round."""

    def backward(self, params, cache, dy, ctx):
        _, gradients = super().backward(params, cache, dy, ctx)
        dx, _ = super().backward({**params, "W": params["W"][..., ::-1, ::-1].copy()}, cache, dy, ctx)
        return dx, gradients


def test_a_wrong_layer_fails_with_a_message_that_says_what_is_wrong():
    with pytest.raises(AssertionError) as caught:
        check_layer(Unflipped(filters=4, kernel=3), (3, 8, 7)).raise_if_wrong()
    text = str(caught.value)
    assert text.startswith("fail: conv2d1: dx is right with W turned by 180°")
    assert "dW and db are right" in text
    assert "dx fail: " in text
    assert "worst at [" in text
    assert "1 more" not in text


class Undeclared(Layer):
    """A ReLU that does not tell which piece it is on."""

    type = "undeclared"

    def forward(self, params, x, ctx):
        return np.maximum(x, 0), x

    def backward(self, params, cache, dy, ctx):
        return dy * (cache > 0), {}


def test_a_layer_that_does_not_declare_its_kinks_raises_no_alarm_at_them():
    report = check_layer(Undeclared(), (3, 4, 5))
    report.raise_if_wrong()
    assert report.layers[0].verdict == "pass"


def test_parameters_may_be_given():
    wrong_for_large = check_layer(Dense(name="d", units=3), (4,), params={"d": {"W": np.full((3, 4), 7.0)}})
    W = next(t for t in wrong_for_large.layers[0].tensors if t.name == "W").finding.claim.theta
    assert np.abs(W - 7).max() < 1


def test_right_functions_pass():
    report = check_functions(affine, affine_backward, *AFFINE)
    report.raise_if_wrong()
    assert [(tensor.name, tensor.shape, tensor.checked) for tensor in report.layers[0].tensors] == [
        ("x", (3, 4), 12),
        ("w", (4, 5), 20),
        ("b", (5,), 5),
    ]


def test_a_wrong_function_is_told_by_the_name_of_its_array():
    def mean(dy, cache):
        dx, dw, db = affine_backward(dy, cache)
        return dx, dw / len(dx), db

    with pytest.raises(WrongGradientError) as caught:
        check_functions(affine, mean, *AFFINE).raise_if_wrong()
    assert str(caught.value).startswith("fail: affine: dw: 1/3 (N) of what it should be: a mean over the first axis")
    assert "dw fail: 20 of 20 entries; worst at [" in str(caught.value)


def softmax_loss(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(p)), labels]).mean(), (p, labels)


def test_integer_arrays_are_handed_on_and_a_scalar_result_will_do():
    def backward(dy, cache):
        p, labels = cache
        return dy * (p - np.eye(3)[labels]) / len(p), None

    check_functions(softmax_loss, backward, noise(4, 3), np.array([0, 2, 1, 2])).raise_if_wrong()


def test_a_cache_that_is_changed_in_place_is_noticed():
    def backward(dy, cache):
        p, labels = cache
        p[np.arange(len(p)), labels] -= 1
        return dy * p / len(p), None

    report = check_functions(softmax_loss, backward, noise(4, 3), np.array([0, 2, 1, 2]))
    assert report.hint == "softmax_loss: backward changes its cache"


def relu(x):
    return np.maximum(x, 0), x


def absolute(x):
    y = np.zeros(x.shape)  # of real numbers: no complex step here
    y[...] = np.abs(x)
    return y, x


def near_0(function):
    x = integers(4, 5)
    x[0, 0], x[1, 1] = 2e-4, -1e-5  # within the first step of a difference
    return function, x


@pytest.mark.parametrize(
    ("forward", "x", "backward"),
    [
        (relu, integers(4, 5), lambda dy, x: dy * (x > 0)),
        (relu, integers(4, 5), lambda dy, x: dy * (x >= 0)),
        (*near_0(relu), lambda dy, x: dy * (x > 0)),
        (*near_0(absolute), lambda dy, x: dy * np.sign(x)),
    ],
)
def test_at_a_kink_either_side_is_right_and_next_to_one_its_own(forward, x, backward):
    check_functions(forward, backward, x).raise_if_wrong()


@pytest.mark.parametrize(
    ("forward", "x", "backward"),
    [
        (relu, integers(4, 5), lambda dy, x: dy * (x > -1.5)),
        (*near_0(relu), lambda dy, x: dy * (x > 3e-4)),
        (*near_0(absolute), lambda dy, x: -dy * np.sign(x)),
        (absolute, integers(4, 5), lambda dy, x: dy * np.sign(x) * (1 + 1e-6)),
        (relu, noise(4, 5), lambda dy, x: dy * (x > 0) * (1 + 1e-7)),
    ],
)
def test_a_wrong_slope_is_found_next_to_kinks_too(forward, x, backward):
    assert check_functions(forward, backward, x).verdict == "fail"


def test_what_is_no_pair_of_functions_is_said():
    with pytest.raises(TypeError, match="1 gradient, it should be one for each of x, w, b"):
        check_functions(affine, lambda dy, cache: (dy,), *AFFINE)
    with pytest.raises(TypeError, match="nothing to differentiate"):
        check_functions(relu, lambda dy, x: dy, np.arange(3))
    report = check_functions(affine, lambda dy, cache: (dy @ cache[1].T, dy, dy), *AFFINE)
    assert report.layers[0].problems == ("dw has shape 3×5, it should be 4×5", "db has shape 3×5, it should be 5")
    with pytest.raises(WrongGradientError, match="dw has shape 3×5"):
        report.raise_if_wrong()


def test_a_sampled_array_is_checked_along_a_direction_too():
    def one_entry(dy, cache):
        dx, dw, db = affine_backward(dy, cache)
        dw[17, 33] *= 2
        return dx, dw, db

    report = check_functions(affine, one_entry, noise(3, 40), noise(40, 50), np.zeros(50), entries=20)
    assert report.verdict == "fail"
    assert report.hint == "affine: dw: a single entry is wrong: [17, 33]; dx and db are right"
    arrays = noise(3, 40), noise(40, 50), np.zeros(50)
    check_functions(affine, affine_backward, *arrays, entries=20).raise_if_wrong()


def test_dropout_and_pooling_are_piecewise_and_checked_at_ties():
    for layer in (Dropout(p=0.4), MaxPool2d(kernel=3, stride=1)):
        check_layer(layer, (2, 5, 6)).raise_if_wrong()
