"""Kinks that nobody declared: where the slopes to the left and to the right differ, any slope between them is right.

A cnnbp layer made of pieces tells which piece it is on. Other code does not: there only one-sided differences show a
kink, and which of its two slopes is meant cannot be known.
"""

from dataclasses import replace

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.claims import Claim
from cnnbp.gradcheck.comparison import SMALLEST, Comparison, Verdict
from cnnbp.gradcheck.computation import follow_branches
from cnnbp.gradcheck.examination import Finding

STEP = 2.0**-20
DIFFERENT = 1e-3  # of an entry's size: slopes of one smooth piece are closer at this step
CLOSE = 1e-5  # of an entry's size: what a one-sided difference can be off


def settle_kinks(finding: Finding) -> Finding:
    """Return the finding with wrong and open entries judged by one-sided differences, where these show a kink."""
    comparison = finding.comparison
    where = np.flatnonzero(comparison.verdicts >= Verdict.INCONCLUSIVE)
    if not len(where):
        return finding
    left, right = _one_sided(finding.claim, comparison.entries[where])
    largest = float(np.nanmax(np.abs(comparison.numeric), initial=0.0))
    size = np.maximum(np.maximum(np.abs(left), np.abs(right)), SMALLEST * largest)
    at_kink = np.abs(right - left) > DIFFERENT * size
    low, high = np.minimum(left, right) - CLOSE * size, np.maximum(left, right) + CLOSE * size
    analytic, middle = comparison.analytic[where], (left + right) / 2
    was_near_one = np.abs(comparison.numeric[where] - middle) > 10 * CLOSE * size  # a longer step had crossed it
    settled = (at_kink | was_near_one) & (low <= analytic) & (analytic <= high)
    direction = None if settled.any() else finding.direction  # it adds up all entries, those at kinks too
    return replace(finding, comparison=_passed(comparison, where[settled], CLOSE * size[settled]), direction=direction)


def _one_sided(claim: Claim, entries: Array) -> tuple[Array, Array]:
    """Return the slopes to the left and to the right of the base point."""
    slopes = [np.empty((0, 2))]
    for start in range(0, len(entries), max(claim.copies // 3, 1)):
        chunk = entries[start : start + max(claim.copies // 3, 1)]
        parts, _ = claim.parts(chunk, np.tile([-STEP, 0.0, STEP], (len(chunk), 1)), follow_branches, Arena())
        slopes.append(np.diff(parts, axis=2).sum(axis=(0, 3)) / STEP)
    left, right = np.concatenate(slopes).T
    return left, right


def _passed(comparison: Comparison, where: Array, bound: Array) -> Comparison:
    verdicts, numeric = comparison.verdicts.copy(), comparison.numeric.copy()
    bounds, kink = comparison.bound.copy(), comparison.kink.copy()
    verdicts[where], numeric[where], bounds[where], kink[where] = Verdict.PASS, comparison.analytic[where], bound, True
    return replace(comparison, numeric=numeric, bound=bounds, kink=kink, verdicts=verdicts)
