"""The lecture's network and a batch for it, and its chain rule written out with loops."""

import numpy as np

from cnnbp.inspect.record import Model
from cnnbp.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU
from cnnbp.losses import BinaryCrossEntropy
from cnnbp.network import Network

M = 4
X = np.random.default_rng(1).normal(size=(1, 6, 6, M))
Y = np.array([0, 1, 1, 0])


def lecture_model() -> Model:
    layers = [Conv2d(filters=1, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=1)]
    network = Network((1, 6, 6), layers)
    params = network.initial_parameters(0, np.float64)
    params["conv2d1"]["b"][:], params["dense1"]["b"][:] = 0.1, -0.2
    return Model(network, BinaryCrossEntropy(), params, {})


def by_hand(model: Model) -> dict[str, np.ndarray]:
    """Return every tensor of the lecture by its symbol, for X and Y."""
    return derived(X, Y, *model.params.tensors["conv2d1"].values(), *model.params.tensors["dense1"].values())


def derived(X, Y, W, b, W2, b2) -> dict[str, np.ndarray]:
    """Return every tensor of the lecture by its symbol: with loops, knowing nothing of cnnbp."""
    M, W1, b1 = len(Y), W[0, 0], b[0]
    Z1 = np.zeros((4, 4, M))
    for i, j in np.ndindex(4, 4):
        Z1[i, j] = np.tensordot(W1, X[0, i : i + 3, j : j + 3], 2) + b1
    A1 = np.maximum(Z1, 0)
    F, dF_to_dA1 = np.zeros((2, 2, M)), {}
    for i, j, m in np.ndindex(2, 2, M):
        window = A1[2 * i : 2 * i + 2, 2 * j : 2 * j + 2, m]
        F[i, j, m] = window.max()
        dF_to_dA1[i, j, m] = (2 * i + window.argmax() // 2, 2 * j + window.argmax() % 2, m)
    f = F.reshape(4, M)
    Z2 = W2 @ f + b2[:, None]
    A2 = 1 / (1 + np.exp(-Z2))
    dZ2 = (A2 - Y) / M
    dF = (W2.T @ dZ2).reshape(2, 2, M)
    dA1 = np.zeros_like(A1)
    for source, target in dF_to_dA1.items():
        dA1[target] = dF[source]
    dZ1 = dA1 * (Z1 > 0)
    dW1, dX = np.zeros((3, 3, M)), np.zeros((6, 6, M))
    for i, j in np.ndindex(4, 4):
        dW1 += X[0, i : i + 3, j : j + 3] * dZ1[i, j]
        dX[i : i + 3, j : j + 3] += W1[:, :, None] * dZ1[i, j]
    return {
        "X": X,
        "Z1": Z1[None],
        "A1": A1[None],
        "F": F[None],
        "f": f,
        "Z2": Z2,
        "A2": A2,
        "Y": Y[None],
        "L": -(Y * np.log(A2[0]) + (1 - Y) * np.log(1 - A2[0])),
        "∂L/∂A2": (A2 - Y) / (A2 * (1 - A2)) / M,
        "∂A2/∂Z2": A2 * (1 - A2),
        "∂L/∂Z2": dZ2,
        "∂L/∂W2": (dZ2 * f)[None],  # image by image: (1, 4, M)
        "∂L/∂b2": dZ2,
        "∂L/∂f": W2.T @ dZ2,
        "∂L/∂F": dF[None],
        "∂L/∂A1": dA1[None],
        "∂L/∂Z1": dZ1[None],
        "∂L/∂W1": dW1[None, None],
        "∂L/∂b1": dZ1.sum(axis=(0, 1))[None],
        "∂L/∂X": dX[None],
    }
