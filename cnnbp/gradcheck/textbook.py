"""The gradient check of a textbook: move each number a little to either side, and see what becomes of the loss.

This is all that it takes where numbers are of usual size and no kink is near; the rest of this package is about where
they are not. Tests hold layers and losses to it.
"""

from collections.abc import Callable

import numpy as np

from cnnbp.arrays import Array

STEP = 2.0**-13  # truncation, some h²·L‴/6, and rounding, some 2⁻⁵³·L/h, are both near 1e-9


def central_differences(loss: Callable[[], float], theta: Array, h: float = STEP) -> Array:
    """Return (L(θ + h·e) − L(θ − h·e)) / 2h for each number of `theta`: ∂L/∂θ but for O(h²).

    `loss` reads the array theta, float64, which is moved in place and put back.
    """
    slopes = np.empty(theta.shape)
    for place in np.ndindex(theta.shape):
        here = theta[place]
        theta[place] = here + h
        above = loss()
        theta[place] = here - h
        slopes[place] = (above - loss()) / (2 * h)
        theta[place] = here
    return slopes
