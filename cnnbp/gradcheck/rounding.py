"""How much of an analytic gradient is rounding: what becomes of it when every number on the way is a little off.

Where terms cancel (γ before another batch norm, a bias before one, a softmax that is sure of itself) a gradient keeps
few of its digits, and no comparison may ask for more. Nobody can tell from the result alone. So the pass is run
again with each number read by a node, forward and backward, moved by a random relative amount, as rounding would: the
spread of the results, per unit of that amount, is how much the gradient amplifies rounding (Monte Carlo arithmetic,
Parker 1997; CESTAC, Vignes 1974).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.arguments import Argument
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.replay import replay

DISTURBANCE = 2.0**-30  # far above float64's own rounding, far below where anything bends
SAMPLES = 3
UNITS = 64.0  # roundings that a correct gradient may be away: sums of n terms add up to √n of them


class Amplification:
    """How much the gradients of a computation amplify rounding: a spread per unit of relative rounding."""

    def __init__(self, computation: Computation, caches: Mapping[int, Any]) -> None:
        rng = np.random.default_rng(0)

        def disturb(array: Array) -> Array:
            return array * (1 + DISTURBANCE * rng.uniform(-1, 1, array.shape))

        self._samples = [replay(computation, caches, disturb) for _ in range(SAMPLES)]

    def of(self, argument: Argument) -> float:
        """Return the root mean square over the entries of an argument's gradient."""
        spread = np.std([argument.gradient_in(sample) for sample in self._samples], axis=0, ddof=1)
        return float(np.sqrt(np.mean(spread * spread))) / DISTURBANCE

    def rounding(self, argument: Argument) -> float:
        """Return how far off a correct float64 gradient of the argument may be."""
        return UNITS * float(np.finfo(np.float64).eps) / 2 * self.of(argument)
