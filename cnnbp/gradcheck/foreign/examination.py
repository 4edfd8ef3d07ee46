"""Put to the test what a pair of functions says of its arrays."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.comparison import Comparison, Finding, Verdict
from cnnbp.gradcheck.foreign.claim import PairClaim
from cnnbp.gradcheck.foreign.entries import compare_entries
from cnnbp.gradcheck.foreign.nearby import Nearby
from cnnbp.gradcheck.foreign.together import Groups, may_tie
from cnnbp.gradcheck.numeric import Probe
from cnnbp.gradcheck.sampling import sample
from cnnbp.gradcheck.workers import Workers

CLOSER = 512  # entries: a pattern needs some in each channel
AROUND = 16  # neighbours of a wrong entry, either way along each axis
FEW = 16  # wrong entries that are looked at beside the point: if all are wrong there, all are wrong


@dataclass(frozen=True)
class Together:
    """What came of moving entries together; `unchecked` stand on kinks that hide what one of them does.

    `wrong` are flat indices at which the gradient is wrong: one entry, or some that are wrong only together.
    """

    verdict: Verdict
    unchecked: int
    wrong: Array


@dataclass(frozen=True)
class PairExamination:
    """A claim, and the entries (flat indices) to check one by one; the others are checked in groups."""

    claim: PairClaim
    entries: Array
    seed: int

    @classmethod
    def of(cls, claim: PairClaim, budget: int, seed: int) -> "PairExamination":
        """Plan to check `budget` entries one by one, and as many that may tie."""
        ties = np.random.default_rng(seed).permutation(np.flatnonzero(may_tie(claim.theta)))
        return cls(claim, np.union1d(sample(claim.theta.shape, budget, seed), ties[:budget]), seed)

    def run(self, workers: Workers, advance: Callable[[int], None]) -> Finding:
        """Check the entries; where one is wrong some more, and those around it."""
        judge = _Judge(self.claim, Probe(self.claim, workers.alone(Arena())))
        comparison = judge.compare(self.entries)
        advance(len(self.entries))
        rest = np.setdiff1d(np.arange(self.claim.theta.size), self.entries)
        together = judge.move_together(rest, self.seed)
        further = _around(self.claim.theta.shape, together.wrong[:1])
        if Verdict.FAIL in comparison.verdicts:
            further = np.union1d(further, sample(self.claim.theta.shape, CLOSER, self.seed))
        further = np.setdiff1d(further, self.entries)
        return Finding(self.claim, comparison.joined(judge.compare(further)), together)


class _Judge:
    def __init__(self, claim: PairClaim, probe: Probe) -> None:
        self._claim, self._probe, self._nearby = claim, probe, Nearby(claim)

    def compare(self, entries: Array) -> Comparison:
        """Compare entries; what is wrong at a kink has a second chance beside it."""
        comparison = compare_entries(self._claim, self._probe, entries)
        failed = np.flatnonzero(comparison.verdicts == Verdict.FAIL)
        if not len(failed) or self._nearby.beside is None:
            return comparison
        failed = failed[self._nearby.holds_each(entries[failed])]
        beside = Probe(self._nearby.beside, self._probe.workers)
        for some in (failed[:: max(len(failed) // FEW, 1)], failed):
            verdicts = compare_entries(self._nearby.beside, beside, entries[some]).verdicts
            right = some[verdicts < Verdict.INCONCLUSIVE]
            if not len(right):
                return comparison
        return comparison.improved(right, comparison.analytic[right], comparison.bound[right], Verdict.PASS, True)

    def move_together(self, rest: Array, seed: int) -> Together:
        """Move the entries that were not looked at one by one, in groups, and then all."""
        groups = Groups(self._claim, self._nearby, seed)
        wrong, unchecked = groups.check(rest)
        if wrong is None:
            wrong = groups.wrong_where_all_move()
        if wrong is not None:
            return Together(Verdict.FAIL, 0, wrong)
        return Together(Verdict.PASS, unchecked, np.empty(0, int))


def _around(shape: tuple[int, ...], entries: Array) -> Array:
    """Return entries and their neighbours along each axis."""
    found = [entries]
    for index in np.array(np.unravel_index(entries, shape)).T if shape else ():
        for axis, n in enumerate(shape):
            near = np.arange(max(index[axis] - AROUND, 0), min(index[axis] + AROUND + 1, n))
            places = np.tile(index, (len(near), 1))
            places[:, axis] = near
            found.append(np.ravel_multi_index(tuple(places.T), shape))
    return np.concatenate(found)
