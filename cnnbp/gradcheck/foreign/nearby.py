"""At a kink a gradient may lie anywhere between those nearby: a second chance for what left and right do not explain.

Where several kinks meet, as behind the zeros of a black image, a backward that takes the left side of each gives a
gradient that no step along one entry explains. Beside that point nothing ties: there it must be right, and the gradient
on the kinks must lie between those around it.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.foreign.claim import PairClaim
from cnnbp.gradcheck.numeric import step_size

NEIGHBOURS = 64
FEWEST = 24  # neighbours that have a gradient, for them to tell anything
SAME = 1e-3  # of how far the neighbours are apart: closer ones count once
SOME, MANY = 12, 40  # different neighbours: four kinks have 16, each on its left or right, and not all are met
SPREADS = 4.0  # standard deviations away from the mean: where kinks pull either way, as far as all of one side may be
BESIDE = 2.0**-10  # of a tensor's size: how far the point is at which slopes are compared anew
SLACK = 1e-4  # of the largest entry: more than a smooth gradient changes on the way to a neighbour


class Nearby:
    """The surroundings of the point at which a claim is made: everything there has moved a little."""

    def __init__(self, claim: PairClaim) -> None:
        self._claim = claim

    @cached_property
    def beside(self) -> PairClaim | None:
        """The same claim beside the point; None where there is no gradient."""
        return self._moved(BESIDE, 0)

    @cached_property
    def _gradients(self) -> Array:
        """The gradients of the neighbours, (K, size)."""
        neighbours = [self._moved(self._claim.precision.disturbance, k + 1) for k in range(NEIGHBOURS)]
        found = [neighbour.gradient.reshape(-1) for neighbour in neighbours if neighbour is not None]
        return np.array(found).reshape(-1, self._claim.theta.size)

    def holds_each(self, entries: Array) -> Array:
        """Tell which entries of the gradient lie between those of the neighbours."""
        return self._between(self._gradients[:, entries], self._claim.gradient.reshape(-1)[entries])

    def holds(self, group: Array) -> bool:
        """Tell whether the sum of a group's entries lies between its sums at the neighbours."""
        sums = self._gradients[:, group].sum(axis=1, keepdims=True)
        return bool(self._between(sums, self._claim.gradient.reshape(-1)[group].sum(keepdims=True))[0])

    def _between(self, neighbours: Array, own: Array) -> Array:
        """Compare with the neighbours' extremes; of many kinks these are not among so few, and their spread tells."""
        if len(neighbours) < FEWEST:
            return np.zeros(own.shape, bool)
        low, high = neighbours.min(axis=0), neighbours.max(axis=0)
        steps = np.diff(np.sort(neighbours, axis=0), axis=0)
        different = (steps > SAME * (high - low)).sum(axis=0)
        least = SLACK * float(np.abs(self._gradients).max(initial=0))
        reach = np.where(different < SOME, least, (high - low) / 4)
        spread = np.where(different < MANY, 0.0, SPREADS * neighbours.std(axis=0))
        inside = (low - reach <= own) & (own <= high + reach)
        return inside | (np.abs(own - neighbours.mean(axis=0)) <= spread)

    def _moved(self, share: float, seed: int) -> PairClaim | None:
        pair, seen, rng = self._claim.pair, self._claim.seen, np.random.default_rng([seed, 4])
        arrays = list(pair.arrays)
        for i in pair.variables:
            theta = arrays[i]
            arrays[i] = (theta + share * step_size(theta, 0) * rng.normal(size=theta.shape)).astype(theta.dtype)
        pair = replace(pair, arrays=arrays, problems={})
        try:
            ran = pair.run()
            found = pair.gradients(seen.upstream.astype(ran.y.dtype)[()], ran.cache)
        except Exception:  # not everything holds everywhere: it may ask for probabilities, or for positive numbers
            return None
        gradients = {name: gradient for name, gradient in found.items() if gradient is not None}
        if any(not np.isfinite(array).all() for array in (ran.y, *gradients.values())):
            return None
        return replace(self._claim, pair=pair, seen=replace(seen, y=ran.y, gradients=gradients))
