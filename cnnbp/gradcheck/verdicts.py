"""Compare an analytic gradient with the numeric one, entry by entry."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.numeric import Probe

PASSING_BOUND = 1e-5  # a bound below this share of the derivative (or of 10⁻³ of the largest) decides
NEGLIGIBLE = 1e-3
COMPLEX_PASS, COMPLEX_FAIL = 1e-10, 1e-8  # of the same share: rounding in two long computations, and certainly more


class Entry(IntEnum):
    """Verdict on one entry of a gradient."""

    PASS = 0
    FAIL = 1
    ZERO = 2
    INCONCLUSIVE = 3


@dataclass(frozen=True)
class Comparison:
    """Checked entries (flat indices) of one gradient, with both values, the bound on their difference and a verdict."""

    entries: Array
    analytic: Array
    numeric: Array
    bound: Array
    kink: Array
    verdicts: Array


def compare(probe: Probe, analytic: Array, entries: Array, h: float) -> Comparison:
    """Judge the entries of an analytic gradient; what differences cannot tell is settled by the complex step."""
    a = analytic.reshape(-1)[entries]
    estimate = probe.differences(entries, np.full(len(entries), h))
    numeric, largest = estimate.derivative.copy(), np.abs(estimate.derivative).max(initial=0.0)
    bound = estimate.bound + 1e-13 * largest
    size = np.maximum(np.abs(numeric), NEGLIGIBLE * largest)
    agree = np.abs(a - numeric) <= bound
    zero = agree & ((numeric == 0) | ((np.abs(a) <= bound) & (np.abs(numeric) <= bound)))
    passed = agree & (bound < PASSING_BOUND * size)
    verdicts = np.select([passed, zero], [Entry.PASS, Entry.ZERO], Entry.INCONCLUSIVE)
    left = np.flatnonzero(verdicts == Entry.INCONCLUSIVE)
    if len(left):
        exact = probe.complex_step(entries[left])
        size[left] = np.maximum(np.abs(exact), NEGLIGIBLE * largest)
        difference = np.abs(a[left] - exact)
        verdicts[left] = np.select(
            [difference <= COMPLEX_PASS * size[left], ~(difference <= COMPLEX_FAIL * size[left])],
            [Entry.PASS, Entry.FAIL],
            Entry.INCONCLUSIVE,
        )
        numeric[left], bound[left] = exact, COMPLEX_PASS * size[left]
    return Comparison(entries, a, numeric, bound, estimate.kink, verdicts)
