"""Functions that tests differentiate."""

import numpy as np

X = np.random.default_rng(3).normal(size=(3, 4))
LOGITS = np.random.default_rng(4).normal(size=(4, 3))
LABELS = np.array([0, 2, 1, 2])


def affine(x, w, b):
    return x @ w + b, (x, w)


def affine_backward(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)


def relu_backward(dy, x):
    return dy * (x > 0)


def softmax_loss(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(p)), labels]).mean(), (p, labels)
