"""The lecture on one page: one filter, one pool, one neuron, forward and backward, in plain NumPy.

    X ─conv W1,b1→ Z1 ─ReLU→ A1 ─max pool→ F ─flatten→ f ─dense W2,b2→ Z2 ─sigmoid→ A2 ─cross-entropy→ L

Run it as it is, on four bars of its own, or with a batch that cnnbp wrote:

    python docs/lecture.py
    cnnbp grads configs/lecture.yaml --save batch.npz; python docs/lecture.py batch.npz
"""

import sys

import numpy as np


def forward(X, W1, b1, W2, b2):
    """Follow one image X (6×6) to A2, the probability that its bar is vertical; return every station."""
    Z1 = np.array([[np.sum(X[h : h + 3, w : w + 3] * W1) + b1 for w in range(4)] for h in range(4)])  # 4×4
    A1 = np.maximum(Z1, 0)
    F = np.array([[A1[2 * h : 2 * h + 2, 2 * w : 2 * w + 2].max() for w in range(2)] for h in range(2)])  # 2×2
    f = F.reshape(4)
    Z2 = W2 @ f + b2
    A2 = 1 / (1 + np.exp(-Z2))
    return Z1, A1, F, f, Z2, A2


def loss(images, labels, parameters):
    """L = −(1/M) Σₘ [ Y log A2 + (1 − Y) log(1 − A2) ]."""
    A2 = np.array([forward(X, *parameters)[-1] for X in images])
    return -np.mean(labels * np.log(A2) + (1 - labels) * np.log(1 - A2))


def backward(X, Y, M, W1, b1, W2, b2):
    """Follow one image's share of L back, a factor of the chain rule a line, to ∂L/∂W1, ∂L/∂b1, ∂L/∂W2, ∂L/∂b2."""
    Z1, A1, _, f, _, A2 = forward(X, W1, b1, W2, b2)
    dZ2 = (A2 - Y) / M  # = ∂L/∂A2 · ∂A2/∂Z2. The 1/M of the mean enters here and nowhere else
    dW2, db2, df = dZ2 * f, dZ2, dZ2 * W2
    dF = df.reshape(2, 2)
    dA1 = np.zeros((4, 4))
    for h, w in np.ndindex(2, 2):  # to the largest of each window, the first of equal ones; the other three get 0
        i, j = divmod(A1[2 * h : 2 * h + 2, 2 * w : 2 * w + 2].argmax(), 2)
        dA1[2 * h + i, 2 * w + j] = dF[h, w]
    dZ1 = dA1 * (Z1 > 0)
    dW1 = np.array([[np.sum(X[i : i + 4, j : j + 4] * dZ1) for j in range(3)] for i in range(3)])  # X ⋆ ∂L/∂Z1
    return dW1, dZ1.sum(), dW2, db2


def measured(images, labels, parameters, k, h=1e-5):
    """Return ∂L/∂(parameter k) without any chain rule: move each of its numbers to both sides, and look at L."""
    slope = np.zeros_like(parameters[k])
    for place in np.ndindex(slope.shape):
        above, below = ([theta.copy() for theta in parameters] for _ in range(2))
        above[k][place] += h
        below[k][place] -= h
        slope[place] = (loss(images, labels, above) - loss(images, labels, below)) / (2 * h)
    return slope


if len(sys.argv) > 1:
    names = ("param/conv1.W", "param/conv1.b", "param/dense1.W", "param/dense1.b")
    with np.load(sys.argv[1]) as batch:
        images, labels = np.moveaxis(batch["X"][0], -1, 0), batch["y"]  # M×6×6, M
        parameters = [batch[name].reshape(shape) for name, shape in zip(names, [(3, 3), (), (4,), ()], strict=True)]
else:
    rng, labels = np.random.default_rng(1), np.array([0, 0, 1, 1])
    images = 0.2 * rng.random((4, 6, 6))  # a grey ground, on which a bar is white
    images[[0, 1], [1, 3], :] = images[[2, 3], :, [2, 4]] = 1
    parameters = [rng.normal(size=(3, 3)), np.array(0.0), rng.normal(size=4), np.array(0.0)]

shares = [backward(X, Y, len(images), *parameters) for X, Y in zip(images, labels, strict=True)]  # image by image,
gradients = [np.sum(stack, axis=0) for stack in zip(*shares, strict=True)]  # then summed over M
differences = [measured(images, labels, parameters, k) for k in range(4)]
updated = [theta - 0.5 * gradient for theta, gradient in zip(parameters, gradients, strict=True)]  # θ − η·∂L/∂θ

for name, gradient, difference in zip(("W1", "b1", "W2", "b2"), gradients, differences, strict=True):
    print(f"∂L/∂{name}\n{gradient}\nmeasured\n{difference}\n")
print(f"L falls from {loss(images, labels, parameters):.6f} to {loss(images, labels, updated):.6f}")
