"""How much of an analytic gradient is rounding: what becomes of it when every number on the way is a little off.

Where terms cancel (γ before another batch norm, a bias before one, a softmax that is sure of itself) a gradient keeps
few of its digits, and no comparison may ask for more. Nobody can tell from the result alone. So the pass is run
again with each number read by a node, forward and backward, moved by a random relative amount, as rounding would: the
spread of the results, per unit of that amount, is how much the gradient amplifies rounding (Monte Carlo arithmetic,
Parker 1997; CESTAC, Vignes 1974).

A few runs can be near each other by chance: with 3 of them the spread is 10 times too small in one case of a hundred,
and then in all entries at once if a single number's rounding dominates. So whoever finds a gradient just outside of
its rounding looks closer, with more runs, before believing it.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.replay import AllGradients, replay
from cnnbp.network import Node

if TYPE_CHECKING:
    from cnnbp.gradcheck.arguments import Argument

UNIT_ROUNDOFF = float(np.finfo(np.float64).eps) / 2
DISTURBANCE = 2.0**-30  # far above float64's own rounding, far below where anything bends
SAMPLES, CLOSER_SAMPLES = 3, 24
UNITS = 64.0  # roundings that a correct gradient may be away: sums of n terms add up to √n of them


class Amplification:
    """How much the gradients of a computation amplify rounding: a spread per unit of relative rounding."""

    def __init__(self, computation: Computation, caches: Mapping[int, Any], samples: int = SAMPLES) -> None:
        self.computation, self._caches = computation, caches
        rng = np.random.default_rng(samples)

        def disturb(array: Array) -> Array:
            return array * (1 + DISTURBANCE * rng.uniform(-1, 1, array.shape))

        self._samples = [replay(computation, caches, disturb) for _ in range(samples)]

    @cached_property
    def closer(self) -> "Amplification":
        """The same from more runs."""
        return Amplification(self.computation, self._caches, samples=CLOSER_SAMPLES)

    def of(self, argument: "Argument") -> Array:
        """Return it for each entry of an argument's gradient."""
        return self.spread(argument.gradient_in)

    def of_output(self, node: Node) -> Array:
        """Return it for each number of a node's output, whose own rounding is counted in."""
        own = self.computation.values[node.index] / sqrt(3)
        return np.hypot(self.spread(lambda sample: sample.outputs[node.index]), own)

    def spread(self, pick: Callable[[AllGradients], Array]) -> Array:
        """Return it for what is picked of a run: each number's own, at least the root mean square of all."""
        spread: Array = np.std([pick(sample) for sample in self._samples], axis=0, ddof=1)
        return np.maximum(spread, np.sqrt(np.mean(spread * spread))) / DISTURBANCE

    @cached_property
    def forward_rounding(self) -> float:
        """How far off what is differentiated may be, which is the sum of the head's parts."""
        computation, columns = self.computation, np.arange(self.computation.batch_size)
        outputs = [sample.outputs[computation.output] for sample in self._samples]
        sums = [computation.head.parts(output, columns).sum() for output in outputs]
        return UNITS * UNIT_ROUNDOFF * float(np.std(sums, ddof=1)) / DISTURBANCE

    def rounding(self, argument: "Argument") -> Array:
        """Return how far off each entry of a correct float64 gradient of the argument may be."""
        return UNITS * UNIT_ROUNDOFF * self.of(argument)
