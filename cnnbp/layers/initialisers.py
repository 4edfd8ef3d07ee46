"""How a weight is drawn before training: the spread that keeps a signal's size from layer to layer."""

from math import sqrt
from typing import Literal

import numpy as np

from cnnbp.arrays import Array, Shape

Initialiser = Literal["he", "xavier", "lecun", "normal", "zeros"]

NORMAL_STD = 0.01


def standard_deviation(initialiser: Initialiser, fan_in: int, fan_out: int) -> float:
    """Return the standard deviation that an initialiser asks for.

    he: √(2/fan_in), for ReLU and its relatives (He et al. 2015, arXiv:1502.01852);
    xavier: √(2/(fan_in + fan_out)), for tanh and sigmoid (Glorot & Bengio 2010);
    lecun: √(1/fan_in), for layers that no activation follows (LeCun et al. 1998, Efficient BackProp).
    """
    match initialiser:
        case "he":
            return sqrt(2 / fan_in)
        case "xavier":
            return sqrt(2 / (fan_in + fan_out))
        case "lecun":
            return sqrt(1 / fan_in)
        case "normal":
            return NORMAL_STD
        case "zeros":
            return 0.0


def draw(initialiser: Initialiser, shape: Shape, fan_in: int, fan_out: int, rng: "np.random.Generator") -> Array:
    """Draw a weight of the given shape from a normal distribution around 0, float64."""
    return rng.normal(0.0, standard_deviation(initialiser, fan_in, fan_out), shape)
