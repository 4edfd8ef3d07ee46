"""Mistakes in the derivatives of activations."""

from collections.abc import Callable

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, Bug, Mistake, has, instead_of_dx
from cnnbp.layers import LAYERS
from cnnbp.layers.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh, sigmoid


def _slope(slope: Callable[[BackwardPass], Array | float]) -> Mistake:
    return instead_of_dx(lambda step: step.dy * slope(step))


def _gelu_without_inner_derivative(step: BackwardPass) -> Array:
    x = step.x
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t)


_BESIDE_RELU = tuple(layer for layer in LAYERS if layer.suits and layer is not ReLU)  # there it is mask-of-output

ACTIVATION_BUGS = (
    Bug("no-derivative", "dy is passed on: the derivative is left out", _BESIDE_RELU, _slope(lambda s: 1)),
    Bug("passes-zero", "mask z ≥ 0: gradient flows where z is exactly 0", (ReLU,), _slope(lambda s: s.x >= 0)),
    Bug("mask-of-output", "mask y ≥ 0, which is true everywhere", (ReLU,), _slope(lambda s: s.y >= 0)),
    Bug("mask-of-gradient", "mask from the upstream gradient", (ReLU,), _slope(lambda s: s.dy > 0)),
    Bug("guided", "mask from z and from the upstream gradient", (ReLU,), _slope(lambda s: (s.x > 0) & (s.dy > 0))),
    Bug(
        "slope-0",
        "the left slope is 0, as in ReLU",
        (LeakyReLU,),
        _slope(lambda s: s.x > 0),
        lambda node: not has(node, slope=0.0),
    ),
    Bug(
        "slope-hard-coded",
        "the left slope is 0.01 whatever the option says",
        (LeakyReLU,),
        _slope(lambda s: np.where(s.x > 0, 1, 0.01)),
        lambda node: not has(node, slope=0.01),
    ),
    Bug(
        "branches-swapped",
        "1 on the left and the slope on the right",
        (LeakyReLU,),
        _slope(lambda s: np.where(s.x > 0, dict(s.layer)["slope"], 1)),
        lambda node: not has(node, slope=1.0),
    ),
    Bug(
        "alpha-forgotten",
        "y + 1 on the left instead of y + α",
        (ELU,),
        _slope(lambda s: np.where(s.x > 0, 1, s.y + 1)),
        lambda node: not has(node, alpha=1.0),
    ),
    Bug("slope-is-y", "y on the left instead of y + α", (ELU,), _slope(lambda s: np.where(s.x > 0, 1, s.y))),
    Bug("inner-derivative", "chain rule stops at tanh", (GELU,), _slope(_gelu_without_inner_derivative)),
    Bug("product-rule", "σ(z) alone: z's part of the product is forgotten", (SiLU,), _slope(lambda s: sigmoid(s.x))),
    Bug("of-z", "z(1 − z) instead of y(1 − y)", (Sigmoid,), _slope(lambda s: s.x * (1 - s.x))),
    Bug("twice", "σ applied to y once more", (Sigmoid,), _slope(lambda s: sigmoid(s.y) * (1 - sigmoid(s.y)))),
    Bug("of-z", "1 − z² instead of 1 − y²", (Tanh,), _slope(lambda s: 1 - s.x**2)),
    Bug("not-squared", "1 − y instead of 1 − y²", (Tanh,), _slope(lambda s: 1 - s.y)),
)
