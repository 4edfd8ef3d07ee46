"""Judge entries of a gradient by the values of a function that tells nothing of its kinks."""

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.comparison import EQUAL, Comparison, Verdict
from cnnbp.gradcheck.computation import follow_branches
from cnnbp.gradcheck.foreign.claim import PairClaim
from cnnbp.gradcheck.foreign.precision import PRECISIONS
from cnnbp.gradcheck.foreign.sides import SHIFTS, Slopes, slopes
from cnnbp.gradcheck.numeric import Probe, step_size

FEW = 24  # wrong entries that are looked at from either side before the others are believed to be wrong
FAR = 1e-3  # of the largest slope: what is so far off is no kink's doing


def compare_entries(claim: PairClaim, probe: Probe, entries: Array) -> Comparison:
    """Judge entries by differences; what these cannot tell by the complex step, or by steps on either side."""
    precision, analytic = claim.precision, claim.gradient.reshape(-1)[entries]
    estimate = probe.richardson(entries, 1.0 if probe.is_affine else step_size(claim.theta, precision.step))
    numeric, largest = estimate.derivative, float(np.nanmax(np.abs(estimate.derivative), initial=0.0))
    bound = estimate.bound + 1e-13 * largest + claim.rounding.reshape(-1)[entries]
    size = np.maximum(np.abs(numeric), claim.precision.smallest * largest)
    agree, dead = np.abs(analytic - numeric) <= bound, (numeric == 0) & (analytic == 0)
    nothing = np.maximum(np.abs(analytic), np.abs(numeric)) <= bound
    verdicts = np.select(
        [dead, agree & (bound < precision.decisive * size), agree & nothing],
        [Verdict.ZERO, Verdict.PASS, Verdict.ZERO],
        Verdict.INCONCLUSIVE,
    )
    comparison = Comparison(entries, analytic, numeric, bound, np.zeros(len(entries), bool), verdicts)
    return _settled(comparison, largest, claim, probe)


def _settled(comparison: Comparison, largest: float, claim: PairClaim, probe: Probe) -> Comparison:
    """Return the comparison with its open entries judged by the complex step, and if need be from either side.

    Where all of a few are wrong so, what is as far off is wrong as well.
    """
    where = np.flatnonzero(comparison.verdicts == Verdict.INCONCLUSIVE)
    rounding = claim.rounding.reshape(-1)[comparison.entries] + 1e-13 * largest
    if len(where) and claim.precision is PRECISIONS["float64"] and probe.is_complex_safe:
        exact = probe.complex_step(comparison.entries[where])
        bound = EQUAL * np.maximum(np.abs(exact), claim.precision.smallest * largest) + rounding[where]
        equal = np.abs(comparison.analytic[where] - exact) <= bound
        comparison = comparison.improved(where[equal], exact[equal], bound[equal], Verdict.PASS)
        where = where[~equal]
    first = where[:: max(len(where) // FEW, 1)]
    comparison = _from_either_side(comparison, first, rounding, largest, claim)
    rest = np.setdiff1d(where, first)
    if len(rest) and (comparison.verdicts[first] == Verdict.FAIL).all():
        off, numeric = np.abs(comparison.analytic - comparison.numeric)[rest], comparison.numeric[rest]
        far = off > np.maximum(10 * comparison.bound[rest], FAR * np.maximum(np.abs(numeric), largest))
        comparison = comparison.improved(rest[far], numeric[far], comparison.bound[rest[far]], Verdict.FAIL)
        rest = rest[~far]
    return _from_either_side(comparison, rest, rounding, largest, claim)


def _from_either_side(
    comparison: Comparison, where: Array, rounding: Array, largest: float, claim: PairClaim
) -> Comparison:
    if not len(where):
        return comparison
    analytic, found = comparison.analytic[where], slopes_of(claim, comparison.entries[where])
    size = np.maximum(np.abs(found.middle), claim.precision.smallest * largest)
    inside = (found.low - rounding[where] <= analytic) & (analytic <= found.high + rounding[where])
    nothing = inside & (found.low <= 0) & (found.high >= 0) & (np.abs(analytic) <= found.width)
    certain = found.kink | (found.width <= claim.precision.settled * size)
    verdicts = np.select(
        [inside & certain, nothing, ~inside], [Verdict.PASS, Verdict.ZERO, Verdict.FAIL], Verdict.INCONCLUSIVE
    )
    nearest = np.where(found.kink, np.clip(analytic, found.low, found.high), found.middle)
    return comparison.improved(where, nearest, found.width / 2 + rounding[where], verdicts, found.kink)


def slopes_of(claim: PairClaim, entries: Array) -> Slopes:
    """Return the slopes by single entries."""
    size, chunk = step_size(claim.theta, 0), max(claim.copies // len(SHIFTS), 1)
    found = []
    for start in range(0, len(entries), chunk):
        some = entries[start : start + chunk]
        values, _ = claim.parts(some, np.tile(size * SHIFTS, (len(some), 1)), follow_branches, Arena())
        found.append(slopes(values[..., 0], size, claim.precision.unit, size))
    return Slopes(*(np.concatenate([getattr(part, name) for part in found]) for name in ("low", "high", "kink")))
