"""Functions as people write them, each with its right backward: the checker must never be wrong about them.

Each entry of PEOPLE draws its arrays for about n numbers, and gives forward and backward. Nothing here is written for
the checker: there are buffers of real numbers, `np.add.at`, strided views, ties, kinks and jumps of all derivatives.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from tests.gradcheck.foreign.functions import affine, affine_backward


@dataclass(frozen=True)
class Written:
    """`draw(rng, n)` → arrays. `ties`: they may be rounded to halves, which brings zeros and equal numbers."""

    forward: Callable
    backward: Callable
    draw: Callable
    ties: bool = True


PEOPLE: dict[str, Written] = {}


def one(rng, n):
    return [1.5 * rng.normal(size=n)]


def two(rng, n):
    return [rng.normal(size=n), rng.normal(size=n)]


def matrix(rng, n):
    rows = max(2, int(sqrt(n / 2)))
    return [rng.normal(size=(rows, max(2, n // rows)))]


def maps(rng, n):
    side = 4 if n < 500 else 8
    return [rng.normal(size=(2, max(1, n // (2 * side * side)), side, side))]


def each(name, function, slope, draw=one, ties=True):
    """One number in, one number out."""
    PEOPLE[name] = Written(lambda x: (function(x), x), lambda dy, x: dy * slope(x), draw, ties)


def in_a_buffer(name, function, slope):
    def forward(x):
        y = np.zeros(x.shape)
        y[...] = function(x)
        return y, x

    PEOPLE[f"{name}, in a buffer"] = Written(forward, lambda dy, x: dy * slope(x), one)


def written(name, backward, draw, ties=True):
    """Decorate a forward."""

    def keep(forward):
        PEOPLE[name] = Written(forward, backward, draw, ties)
        return forward

    return keep


def sigmoid(x):
    return np.where(x > 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


# Activations: kinks, jumps of the second derivative, none.
relu, relu_slope = (lambda x: np.maximum(x, 0)), (lambda x: x > 0)
elu = (
    (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    (lambda x: np.where(x > 0, 1, np.exp(np.minimum(x, 0)))),
)
squared = (lambda x: np.maximum(x, 0) ** 2), (lambda x: 2 * np.maximum(x, 0))
each("relu", relu, relu_slope)
each("relu by a mask", lambda x: x * (x > 0), relu_slope)
in_a_buffer("relu", relu, relu_slope)
each("leaky relu", lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(x > 0, 1, 0.1))
each("relu6", lambda x: np.clip(x, 0, 6), lambda x: (x > 0) & (x < 6), lambda rng, n: [4 * rng.normal(size=n)])
each("hard tanh", lambda x: np.clip(x, -1, 1), lambda x: np.abs(x) < 1)
each("hard sigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1), lambda x: (np.abs(x) < 3) / 6)
each(
    "hard swish",
    lambda x: x * np.clip(x + 3, 0, 6) / 6,
    lambda x: np.where(x < -3, 0, np.where(x > 3, 1, (2 * x + 3) / 6)),
)
each("elu", *elu)
in_a_buffer("elu", *elu)
each(
    "selu",
    lambda x: 1.0507 * np.where(x > 0, x, 1.67326 * np.expm1(np.minimum(x, 0))),
    lambda x: 1.0507 * np.where(x > 0, 1, 1.67326 * np.exp(np.minimum(x, 0))),
)
each("softsign", lambda x: x / (1 + np.abs(x)), lambda x: 1 / (1 + np.abs(x)) ** 2)
each("x|x|", lambda x: x * np.abs(x), lambda x: 2 * np.abs(x))
each("|x|", np.abs, np.sign)
each("|x|^1.5", lambda x: np.abs(x) ** 1.5, lambda x: 1.5 * np.sqrt(np.abs(x)) * np.sign(x))
each("squared relu", *squared)
in_a_buffer("squared relu", *squared)
each("soft shrink", lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.3, 0), lambda x: np.abs(x) > 0.3)
each("hard shrink", lambda x: np.where(np.abs(x) > 0.3, x, 0), lambda x: np.abs(x) > 0.3)
each("tanh", np.tanh, lambda x: 1 - np.tanh(x) ** 2)
in_a_buffer("tanh", np.tanh, lambda x: 1 - np.tanh(x) ** 2)
each("sigmoid", sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)))
each("saturated sigmoid", sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)), lambda rng, n: [30 * rng.normal(size=n)])
each("softplus", lambda x: np.logaddexp(0, x), sigmoid)
each("log sigmoid", lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))), lambda x: 1 - sigmoid(x))
each("silu", lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))))
each(
    "mish",
    lambda x: x * np.tanh(np.log1p(np.exp(x))),
    lambda x: np.tanh(np.log1p(np.exp(x))) + x * sigmoid(x) * (1 - np.tanh(np.log1p(np.exp(x))) ** 2),
)
each(
    "gelu by erf",
    lambda x: x * np.vectorize(lambda z: 0.5 * (1 + erf(z / sqrt(2))))(x),
    lambda x: np.vectorize(lambda z: 0.5 * (1 + erf(z / sqrt(2))))(x) + x * np.exp(-x * x / 2) / sqrt(2 * np.pi),
)
each("exp", np.exp, np.exp)
each("root with an epsilon", lambda x: np.sqrt(x * x + 1e-8), lambda x: x / np.sqrt(x * x + 1e-8))
each("log with an epsilon", lambda x: np.log(np.maximum(x, 0) + 1e-8), lambda x: (x > 0) / (x + 1e-8))
each("log of positive numbers", np.log, lambda x: 1 / x, lambda rng, n: [rng.uniform(1e-3, 1, n)], ties=False)
each("1/x", lambda x: 1 / x, lambda x: -1 / x**2, lambda rng, n: [rng.uniform(0.1, 2, n)], ties=False)
each("on a pedestal", lambda x: 1e4 + np.sin(x), np.cos)
each("fast sine", lambda x: np.sin(20 * x), lambda x: 20 * np.cos(20 * x))
PEOPLE["prelu"] = Written(
    lambda x, a: (np.where(x > 0, x, a * x), (x, a)),
    lambda dy, c: (dy * np.where(c[0] > 0, 1, c[1]), np.sum(dy * np.where(c[0] > 0, 0, c[0]))),
    lambda rng, n: [rng.normal(size=n), np.array(0.25)],
)
PEOPLE["larger of two"] = Written(
    lambda a, b: (np.maximum(a, b), (a, b)), lambda dy, c: (dy * (c[0] >= c[1]), dy * (c[0] < c[1])), two
)
PEOPLE["product"] = Written(lambda a, b: (a * b, (a, b)), lambda dy, c: (dy * c[1], dy * c[0]), two)
PEOPLE["dropout with a mask that is given"] = Written(
    lambda x, keep: (x * keep / 0.7, keep),
    lambda dy, keep: (dy * keep / 0.7, None),
    lambda rng, n: [rng.normal(size=n), rng.random(n) > 0.3],
)


# Losses: a scalar of many numbers.
def labelled(rng, n):
    images = max(3, n // 5)
    return [rng.normal(size=(images, 5)), rng.integers(0, 5, images)]


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def onehot(labels):
    return np.eye(5)[labels]


def mean_loss(name, loss, slope, draw=two, ties=True):
    PEOPLE[name] = Written(
        lambda x, t: (loss(x, t).mean(), (x, t)),
        lambda dy, c: (dy * slope(*c) / c[0].size, None if c[1].dtype.kind in "ib" else -dy * slope(*c) / c[0].size),
        draw,
        ties,
    )


def signs(rng, n):
    return [rng.normal(size=n), rng.choice([-1, 1], n)]


PEOPLE["softmax cross-entropy"] = Written(
    lambda z, t: (-np.log(softmax(z)[np.arange(len(z)), t]).mean(), (z, t)),
    lambda dy, c: (dy * (softmax(c[0]) - onehot(c[1])) / len(c[0]), None),
    labelled,
)


def copied_and_changed(dy, cache):
    p, labels = cache
    p = p.copy()
    p[np.arange(len(p)), labels] -= 1
    return dy * p / len(p), None


PEOPLE["softmax cross-entropy, a sum over M"] = Written(
    lambda z, t: (-np.log(softmax(z)[np.arange(len(z)), t]).sum() / len(z), (softmax(z), t)),
    copied_and_changed,
    labelled,
)


def focal_backward(dy, cache):
    z, labels = cache
    p = softmax(z)
    pt = p[np.arange(len(p)), labels]
    slope = (2 * (1 - pt) * np.log(pt) - (1 - pt) ** 2 / pt) * pt
    return dy * slope[:, None] * (onehot(labels) - p) / len(p), None


@written("focal loss", focal_backward, labelled)
def focal_loss(z, labels):
    pt = softmax(z)[np.arange(len(z)), labels]
    return -((1 - pt) ** 2 * np.log(pt)).mean(), (z, labels)


mean_loss(
    "binary cross-entropy of logits",
    lambda x, t: np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))),
    lambda x, t: sigmoid(x) - t,
    lambda rng, n: [rng.normal(size=n), rng.integers(0, 2, n)],
)
mean_loss("hinge loss", lambda x, t: np.maximum(0, 1 - t * x), lambda x, t: -t * (t * x < 1), signs)
mean_loss(
    "squared hinge loss",
    lambda x, t: np.maximum(0, 1 - t * x) ** 2,
    lambda x, t: -2 * t * np.maximum(0, 1 - t * x),
    signs,
)
mean_loss("mean squared error", lambda x, t: (x - t) ** 2, lambda x, t: 2 * (x - t))
mean_loss("mean absolute error", lambda x, t: np.abs(x - t), lambda x, t: np.sign(x - t))
mean_loss(
    "smooth L1",
    lambda x, t: np.where(np.abs(x - t) < 1, 0.5 * (x - t) ** 2, np.abs(x - t) - 0.5),
    lambda x, t: np.clip(x - t, -1, 1),
)
mean_loss("log-cosh", lambda x, t: np.logaddexp(x - t, t - x) - np.log(2), lambda x, t: np.tanh(x - t))
each(
    "smooth L1, entry by entry",
    lambda x: np.where(np.abs(x) < 1, 0.5 * x * x, np.abs(x) - 0.5),
    lambda x: np.clip(x, -1, 1),
)
PEOPLE["ridge and lasso"] = Written(
    lambda w, x: (((x @ w) ** 2).mean() + 1e-2 * (w**2).sum() + 1e-4 * np.abs(w).sum(), (w, x)),
    lambda dy, c: (
        dy * (2 * c[1].T @ (c[1] @ c[0]) / len(c[1]) + 2e-2 * c[0] + 1e-4 * np.sign(c[0])),
        dy * 2 * np.outer(c[1] @ c[0], c[0]) / len(c[1]),
    ),
    lambda rng, n: [rng.normal(size=max(3, n // 20)), rng.normal(size=(20, max(3, n // 20)))],
    ties=False,
)


def triplet_backward(dy, cache):
    a, p, n, off = cache
    on = dy * 2 * (off > 0)[:, None] / len(a)
    return on * (n - p), on * (p - a), on * (a - n)


@written("triplet loss", triplet_backward, lambda rng, n: [rng.normal(size=(max(2, n // 12), 4)) / 2 for _ in range(3)])
def triplet_loss(a, p, n):
    off = ((a - p) ** 2).sum(axis=1) - ((a - n) ** 2).sum(axis=1) + 1
    return np.maximum(0, off).mean(), (a, p, n, off)


# Sums over axes: softmax, norms, similarities.
@written("softmax", lambda dy, p: p * (dy - (dy * p).sum(axis=-1, keepdims=True)), matrix)
def softmax_forward(z):
    return softmax(z), softmax(z)


@written("log-softmax", lambda dy, p: dy - p * dy.sum(axis=-1, keepdims=True), matrix)
def log_softmax(z):
    shifted = z - z.max(axis=-1, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return y, np.exp(y)


def norm_backward(axis):
    def backward(dy, cache):
        xhat, inverse, gamma = cache
        dxhat = dy * gamma
        mean = dxhat.mean(axis=axis, keepdims=True)
        dx = inverse * (dxhat - mean - xhat * (dxhat * xhat).mean(axis=axis, keepdims=True))
        return dx, (dy * xhat).sum(axis=0), dy.sum(axis=0)

    return backward


def norm_forward(axis):
    def forward(x, gamma, beta):
        inverse = 1 / np.sqrt(x.var(axis=axis, keepdims=True) + 1e-5)
        xhat = (x - x.mean(axis=axis, keepdims=True)) * inverse
        return gamma * xhat + beta, (xhat, inverse, gamma)

    return forward


def scaled(rng, n):
    [x] = matrix(rng, n)
    return [x, rng.normal(size=x.shape[1]), rng.normal(size=x.shape[1])]


def far_from_0(rng, n):
    x, gamma, beta = scaled(rng, n)
    return [x + 1000, gamma, beta]


PEOPLE["batch norm"] = Written(norm_forward(0), norm_backward(0), scaled, ties=False)
PEOPLE["batch norm, far from 0"] = Written(norm_forward(0), norm_backward(0), far_from_0, ties=False)
PEOPLE["layer norm"] = Written(norm_forward(1), norm_backward(1), scaled, ties=False)


@written("rms norm", lambda dy, c: dy / c[1] - c[0] * (dy * c[0]).mean(axis=1, keepdims=True) / c[1] ** 3, matrix)
def rms_norm(x):
    r = np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-6)
    return x / r, (x, r)


@written("unit length", lambda dy, c: (dy - c[0] * (dy * c[0]).sum(axis=1, keepdims=True)) / c[1], matrix, ties=False)
def unit_length(x):
    r = np.linalg.norm(x, axis=1, keepdims=True)
    return x / r, (x / r, r)


@written("largest of a row", lambda dy, c: dy[:, None] * (np.arange(c[1]) == c[0][:, None]), matrix)
def largest(x):
    return x.max(axis=1), (x.argmax(axis=1), x.shape[1])


@written("mean of the three largest", lambda dy, c: np.bincount(c[0], minlength=c[1]) * dy / len(c[0]), one)
def largest_three(x):
    best = np.argsort(-x, kind="stable")[:3]
    return x[best].mean(), (best, len(x))


@written("sorted", lambda dy, order: dy[np.argsort(order, kind="stable")], one)
def in_order(x):
    order = np.argsort(x, kind="stable")
    return x[order], order


@written(
    "maxout of pairs",
    lambda dy, x: dy[:, None] * (x == x.max(axis=1, keepdims=True)),
    lambda rng, n: [rng.normal(size=(max(2, n // 2), 2))],
    ties=False,
)
def maxout(x):
    return x.max(axis=1), x


# Windows.
def pooled(x):
    M, C, H, W = x.shape
    return as_strided(
        x,
        (M, C, H // 2, W // 2, 2, 2),
        tuple(s * k for s, k in zip(x.strides, (1, 1, 2, 2), strict=True)) + x.strides[2:],
    )


def max_pool_backward(dy, cache):
    shape, which = cache
    M, C, H, W = shape
    dx = np.zeros((M, C, H // 2, W // 2, 4))
    np.put_along_axis(dx, which[..., None], dy[..., None], axis=-1)
    return dx.reshape(M, C, H // 2, W // 2, 2, 2).swapaxes(3, 4).reshape(shape)


@written("max pool on a strided view", max_pool_backward, maps)
def max_pool(x):
    x = np.ascontiguousarray(x)
    windows = pooled(x).reshape(*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2, 4)
    return windows.max(axis=-1), (x.shape, windows.argmax(axis=-1))


def loop_pool_backward(dy, cache):
    x, y = cache
    dx = np.zeros(x.shape)
    for i in range(x.shape[2] - 1):
        for j in range(x.shape[3] - 1):
            window = x[:, :, i : i + 2, j : j + 2]
            tied = window == y[:, :, i, j][:, :, None, None]
            dx[:, :, i : i + 2, j : j + 2] += dy[:, :, i, j][:, :, None, None] * tied / tied.sum((2, 3), keepdims=True)
    return dx


@written("overlapping max pool, ties share", loop_pool_backward, maps)
def loop_pool(x):
    y = np.zeros((*x.shape[:2], x.shape[2] - 1, x.shape[3] - 1))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            y[:, :, i, j] = x[:, :, i : i + 2, j : j + 2].max(axis=(2, 3))
    return y, (x, y)


@written("average pool", lambda dy, shape: dy.repeat(2, axis=2).repeat(2, axis=3) / 4, maps)
def average_pool(x):
    return x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean(axis=(3, 5)), x.shape


@written("global average", lambda dy, shape: np.broadcast_to(dy[:, :, None, None], shape) / (shape[2] * shape[3]), maps)
def global_average(x):
    return x.mean(axis=(2, 3)), x.shape


@written(
    "nearest neighbours, twice as large",
    lambda dy, shape: dy.reshape(*shape[:2], shape[2], 2, shape[3], 2).sum(axis=(3, 5)),
    maps,
)
def twice_as_large(x):
    return np.kron(x, np.ones((1, 1, 2, 2))), x.shape


def filters(rng, n):
    side = 5 if n < 500 else 9
    x = rng.normal(size=(max(1, min(n // (2 * side * side), 6)), 2, side, side))
    return [x, rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)]


def conv_backward(dy, cache):
    x, w, _ = cache
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            dw += np.tensordot(dy[:, :, i, j], x[:, :, i : i + 3, j : j + 3], (0, 0))
            dx[:, :, i : i + 3, j : j + 3] += np.tensordot(dy[:, :, i, j], w, (1, 0))
    return dx, dw, dy.sum(axis=(0, 2, 3))


@written("convolution by loops, in a buffer", conv_backward, filters)
def conv(x, w, b):
    y = np.zeros((len(x), len(w), x.shape[2] - 2, x.shape[3] - 2))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            y[:, :, i, j] = np.tensordot(x[:, :, i : i + 3, j : j + 3], w, ((1, 2, 3), (1, 2, 3))) + b
    return y, (x, w, b)


@written("convolution of strided windows", conv_backward, filters)
def strided_conv(x, w, b):
    windows = sliding_window_view(x, (3, 3), axis=(2, 3))
    return np.einsum("mchwij,fcij->mfhw", windows, w) + b[:, None, None], (x, w, b)


@written("convolution, then relu", lambda dy, c: conv_backward(dy * (c[1] > 0), c[0]), filters)
def conv_relu(x, w, b):
    y, cache = strided_conv(x, w, b)
    return np.maximum(y, 0), (cache, y)


# Products, gathers, recurrences.
def layers(rng, n):
    rows = max(2, n // 30)
    return [rng.normal(size=(rows, 6)), rng.normal(size=(6, 7)), rng.normal(size=7)]


PEOPLE["affine"] = Written(affine, affine_backward, layers)


def two_layers_backward(dy, cache):
    x, w1, w2, z, h, off = cache
    dout = dy * 2 * off / off.size
    dz = (dout @ w2.T) * (z > 0)
    return dz @ w1.T, x.T @ dz, dz.sum(axis=0), h.T @ dout, -dout


def black_images(rng, n):
    images = max(4, n // 12)
    black = (np.arange(images) % 2)[:, None]
    return [rng.normal(size=(images, 5)) * black, *draws(rng, (5, 6)), np.zeros(6), *draws(rng, (6, 2), (images, 2))]


def draws(rng, *shapes):
    return [rng.normal(size=shape) for shape in shapes]


@written("two layers and a loss, on black images", two_layers_backward, black_images, ties=False)
def two_layers(x, w1, b1, w2, t):
    z = x @ w1 + b1
    h = np.maximum(z, 0)
    off = h @ w2 - t
    return (off * off).mean(), (x, w1, w2, z, h, off)


def embedding_backward(dy, cache):
    shape, rows = cache
    dtable = np.zeros(shape)
    np.add.at(dtable, rows, dy)
    return dtable, None


@written(
    "embedding",
    embedding_backward,
    lambda rng, n: [rng.normal(size=(max(3, n // 4), 4)), rng.integers(0, 3, max(3, n // 4))],
)
def embedding(table, rows):
    return table[rows], (table.shape, rows)


@written(
    "scattered sums", lambda dy, rows: (dy[rows], None), lambda rng, n: [rng.normal(size=n), rng.integers(0, 5, n)]
)
def scattered(x, rows):
    y = np.zeros(5)
    np.add.at(y, rows, x)
    return y, rows


@written(
    "bilinear form",
    lambda dy, c: (dy * c[1] @ c[2], dy * np.outer(c[0], c[2]), dy * c[0] @ c[1]),
    lambda rng, n: draws(rng, max(2, int(sqrt(n))), (max(2, int(sqrt(n))),) * 2, max(2, int(sqrt(n)))),
)
def bilinear(x, w, y):
    return x @ w @ y, (x, w, y)


def attention_backward(dy, cache):
    q, k, v, p = cache
    dp = dy @ v.T
    ds = p * (dp - (dp * p).sum(axis=1, keepdims=True)) / 2
    return ds @ k, ds.T @ q, p.T @ dy


@written("attention", attention_backward, lambda rng, n: draws(rng, *[(max(2, min(n // 12, 60)), 4)] * 3))
def attention(q, k, v):
    p = softmax(q @ k.T / 2)
    return p @ v, (q, k, v, p)


@written("running sum", lambda dy, _: dy[::-1].cumsum()[::-1], one)
def running_sum(x):
    return x.cumsum(), None


@written("product of all", lambda dy, c: dy * c[1] / c[0], lambda rng, n: [rng.uniform(0.9, 1.1, n)], ties=False)
def product_of_all(x):
    return x.prod(), (x, x.prod())


@written("outer product", lambda dy, c: (dy @ c[1], c[0] @ dy), lambda rng, n: draws(rng, *[max(2, int(sqrt(n)))] * 2))
def outer(a, b):
    return np.outer(a, b), (a, b)


def square(rng, n):
    side = max(2, min(int(sqrt(n)), 30))
    return [rng.normal(size=(side, side)) / sqrt(side) + 2 * np.eye(side)]


@written("inverse", lambda dy, y: -y.T @ dy @ y.T, square, ties=False)
def inverse(x):
    return np.linalg.inv(x), np.linalg.inv(x)


@written("logarithm of a determinant", lambda dy, x: dy * np.linalg.inv(x).T, square, ties=False)
def log_determinant(x):
    return np.linalg.slogdet(x)[1], x


@written("power spectrum", lambda dy, c: 2 * len(c[1]) * np.fft.ifft(dy * c[0]).real, one)
def power_spectrum(x):
    spectrum = np.fft.fft(x)
    return np.abs(spectrum) ** 2, (spectrum, x)


def lstm_backward(dy, cache):
    c, i, f, o, g, after = cache
    dafter = dy * o * (1 - np.tanh(after) ** 2)
    gates = [
        dafter * g * i * (1 - i),
        dafter * c * f * (1 - f),
        dy * np.tanh(after) * o * (1 - o),
        dafter * i * (1 - g * g),
    ]
    return np.concatenate(gates, axis=1), dafter * f


@written("a step of an lstm", lstm_backward, lambda rng, n: draws(rng, (max(2, n // 20), 16), (max(2, n // 20), 4)))
def lstm(z, c):
    i, f, o, g = (
        gate(part) for gate, part in zip((sigmoid, sigmoid, sigmoid, np.tanh), np.split(z, 4, axis=1), strict=True)
    )
    after = f * c + i * g
    return o * np.tanh(after), (c, i, f, o, g, after)


def reflected_backward(dy, _):
    dx = dy[2:-2].copy()
    dx[1:3] += dy[1::-1]
    dx[-3:-1] += dy[:-3:-1]
    return dx


@written("padding by reflection", reflected_backward, one)
def reflected(x):
    return np.pad(x, 2, mode="reflect"), None


def transposed_backward(dy, cache):
    x, w = cache
    windows = sliding_window_view(dy, (3, 3), axis=(2, 3))
    return np.einsum("mfhwij,cfij->mchw", windows, w), np.einsum("mfhwij,mchw->cfij", windows, x)


@written("transposed convolution", transposed_backward, lambda rng, n: filters(rng, n)[:1] + draws(rng, (2, 3, 3, 3)))
def transposed(x, w):
    M, _, H, W = x.shape
    y = np.zeros((M, w.shape[1], H + 2, W + 2))
    for i in range(H):
        for j in range(W):
            y[:, :, i : i + 3, j : j + 3] += np.tensordot(x[:, :, i, j], w, (1, 0))
    return y, (x, w)


def cosine_backward(dy, cache):
    a, b, na, nb = cache
    cosine = (a * b).sum(axis=1, keepdims=True) / (na * nb)
    dy = dy[:, None]
    return dy * (b / (na * nb) - cosine * a / na**2), dy * (a / (na * nb) - cosine * b / nb**2)


@written("cosine similarity", cosine_backward, lambda rng, n: draws(rng, *[(max(2, n // 8), 4)] * 2), ties=False)
def cosine_similarity(a, b):
    na, nb = (np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return ((a * b) / (na * nb)).sum(axis=1), (a, b, na, nb)


@written("divergence of two distributions", lambda dy, c: dy * c[0] * (np.log(c[0] / c[1]) - c[2]), one, ties=False)
def divergence(z):
    p, q = softmax(z), np.arange(1.0, len(z) + 1) / (len(z) * (len(z) + 1) / 2)
    kl = (p * np.log(p / q)).sum()
    return kl, (p, q, kl)


@written("in float32", lambda dy, c: (dy @ c[1].T, c[0].T @ dy), lambda rng, n: draws(rng, (max(2, n // 6), 6), (6, 3)))
def in_float32(x, w):
    x, w = x.astype(np.float32), w.astype(np.float32)
    return x @ w, (x, w)
