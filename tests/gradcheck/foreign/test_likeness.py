import numpy as np
import pytest

from cnnbp.errors import ConfigError
from cnnbp.gradcheck import check_functions
from cnnbp.layers import AvgPool2d, BatchNorm, Conv2d, Dense, MaxPool2d, ReLU
from tests.gradcheck.foreign.functions import affine, affine_backward

RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(4, 3, 7, 8)), RNG.normal(size=(2, 3, 3, 3)), RNG.normal(size=2)
CONV = Conv2d(filters=2, kernel=3, stride=2)


def conv(x, w, b):
    y = np.zeros((len(x), len(w), (x.shape[2] - 3) // 2 + 1, (x.shape[3] - 3) // 2 + 1), np.result_type(x, w))
    for i, j in np.ndindex(y.shape[2:]):
        y[:, :, i, j] = np.tensordot(x[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3], w, ((1, 2, 3), (1, 2, 3))) + b
    return y, (x, w)


def conv_backward(mistake=None):
    def backward(dy, cache):
        x, w = cache
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        kernel = w[..., ::-1, ::-1] if mistake == "flipped" else w
        for i, j in np.ndindex(dy.shape[2:]):
            window = (slice(None), slice(None), slice(2 * i, 2 * i + 3), slice(2 * j, 2 * j + 3))
            share = np.tensordot(dy[:, :, i, j], kernel, (1, 0))
            dx[window] = share if mistake == "overwritten" else dx[window] + share
            dw += np.tensordot(dy[:, :, i, j], x[window], (0, 0))
        if mistake == "another channel":
            dx[:, 0] = dx[:, -1]
        if mistake == "last row":
            dx[:, :, -1] = 0
        if mistake == "transposed":
            dw = dw.swapaxes(0, 1).reshape(dw.shape)
        if mistake == "two":
            dx, dw = 2 * dx, dw / len(x)
        return dx, dw, dy.sum(axis=(0, 2, 3))

    return backward


CONV_HINTS = {
    "flipped": "dx is right with w turned by 180°: the kernel is flipped",
    "overwritten": "in dx one window's share overwrites another's",
    "another channel": "dx: channel 0 holds what belongs to channel 2",
    "last row": "dx stays 0 in row 6: what windows send there is cropped off",
    "transposed": "dw: right when filters and channels are exchanged: transposed, then reshaped",
    "two": "dx: 2 times too large: added twice; dw: 1/4 (M) of what it should be",
}


@pytest.mark.parametrize("mistake", CONV_HINTS)
def test_a_convolution_of_others_gets_the_hints_of_our_own(mistake):
    report = check_functions(conv, conv_backward(mistake), X, W, B, like=CONV, entries=24)
    assert report.hint.startswith(f"conv: {CONV_HINTS[mistake]}")
    assert "is right" in report.hint or "are right" in report.hint


def test_a_right_one_passes_and_may_not_be_what_it_is_said_to_be():
    report = check_functions(conv, conv_backward(), X, W, B, like=CONV, entries=24)
    report.raise_if_wrong()
    assert report.notes == ()
    turned = check_functions(conv, conv_backward(), X, W, B, like=CONV.model_copy(update={"stride": (3, 2)}), entries=9)
    assert turned.notes == ("forward is not conv2d's: it gives 2×3×3, not 2×2×3",)

    def doubled(x, w, b):
        y, cache = conv(x, w, b)
        return 2 * y, cache

    scaled = check_functions(doubled, conv_backward(), X, W, B, like=CONV, entries=9)
    assert scaled.notes[0].startswith("forward is not conv2d's: it is off by up to ")


def channels_last(function):
    """Return a function of (M, C, H, W) as one of (M, H, W, C), with kernels (rows, columns, in, out)."""

    def forward(x, w, b):
        y, cache = function(x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1), b)
        return y.transpose(0, 2, 3, 1), cache

    return forward


def channels_last_backward(dy, cache):
    dx, dw, db = conv_backward("flipped")(dy.transpose(0, 3, 1, 2), cache)
    return dx.transpose(0, 2, 3, 1), dw.transpose(2, 3, 1, 0), db


def test_channels_may_come_last():
    arrays = X.transpose(0, 2, 3, 1), W.transpose(2, 3, 1, 0), B
    report = check_functions(channels_last(conv), channels_last_backward, *arrays, like=CONV, layout="nhwc", entries=24)
    assert report.hint.startswith("forward: dx is right with w turned by 180°")
    assert report.notes == ()


def pool(x):
    y = x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).max(axis=(3, 5))
    return y, (x, y)


def to_all_ties(dy, cache):
    x, y = cache
    return (x == y.repeat(2, 2).repeat(2, 3)) * dy.repeat(2, 2).repeat(2, 3)


def average(x):
    return x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean(axis=(3, 5)), None


def normalised(x, gamma, beta):
    inverse = 1 / np.sqrt(x.var(axis=(0, 2, 3)) + 1e-5)
    xhat = (x - x.mean(axis=(0, 2, 3), keepdims=True)) * inverse[:, None, None]
    return gamma[:, None, None] * xhat + beta[:, None, None], (xhat, inverse * gamma)


def without_the_means_term(dy, cache):
    xhat, scale = cache
    along = (dy * xhat).mean(axis=(0, 2, 3), keepdims=True)
    return scale[:, None, None] * (dy - xhat * along), (dy * xhat).sum(axis=(0, 2, 3)), dy.sum(axis=(0, 2, 3))


SMALL = RNG.normal(size=(5, 2, 4, 6))
OTHERS = {
    "maxpool": (
        pool,
        to_all_ties,
        [np.round(SMALL)],
        MaxPool2d(kernel=2),
        "a window with tied maxima sends dx to each",
    ),
    "average": (
        average,
        lambda dy, _: dy.repeat(2, 2).repeat(2, 3),
        [SMALL],
        AvgPool2d(kernel=2),
        "the 1/(kH·kW) of the",
    ),
    "batch norm": (
        normalised,
        without_the_means_term,
        [SMALL, np.array([1.5, -0.5]), np.array([0.3, 0.1])],
        BatchNorm(),
        "dx lacks the mean's term",
    ),
    "dense": (
        affine,
        lambda dy, cache: (dy @ cache[1], *affine_backward(dy, cache)[1:]),
        [RNG.normal(size=(5, 4)), RNG.normal(size=(4, 4)), np.ones(4) / 3],
        Dense(units=4),
        "dx is right with w transposed: in and out are mixed up",
    ),
    "relu": (
        lambda x: (np.maximum(x, 0), x),
        lambda dy, x: dy * (dy > 0),
        [SMALL],
        ReLU(),
        "dx is not linear in dy: a mask",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_so_do_pools_norms_and_whatever_else_there_is(name):
    forward, backward, arrays, layer, said = OTHERS[name]
    report = check_functions(forward, backward, *arrays, like=layer)
    assert report.verdict == "fail"
    assert said in report.hint


def test_arrays_that_the_layer_does_not_take_are_refused():
    with pytest.raises(ConfigError, match="conv has x, w, b; relu has x"):
        check_functions(conv, conv_backward(), X, W, B, like=ReLU())
    with pytest.raises(ConfigError, match="w has shape 2×3×3×3, the layer that it should be like needs 5×3×3×3"):
        check_functions(conv, conv_backward(), X, W, B, like=Conv2d(filters=5, kernel=3))
