"""Compare what backward says with what differences say, entry by entry."""

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Protocol

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.claims import Claim
from cnnbp.gradcheck.numeric import Probe

DECISIVE = 1e-5  # a bound below this share of an entry's size decides
SMALLEST = 1e-3  # an entry's size counts as at least this share of its tensor's largest
EQUAL, DIFFERENT = 1e-10, 1e-8  # of an entry's size: rounding of two long computations, and surely more than that
COARSE = 1e-2  # a gradient whose own rounding is more than this share of an entry says nothing about it
DOUBT = 100.0  # times the rounding: a gradient that is wrong by less may be right, and its rounding taken for too small


class Verdict(IntEnum):
    """On one entry. ZERO: none to speak of; INCONCLUSIVE: neither differences nor the complex step can tell."""

    PASS = 0
    ZERO = 1
    INCONCLUSIVE = 2
    FAIL = 3


@dataclass(frozen=True)
class Comparison:
    """Both values of some entries (flat indices), the bound on their difference, kinks met, and the verdicts."""

    entries: Array
    analytic: Array
    numeric: Array
    bound: Array
    kink: Array
    verdicts: Array

    def joined(self, other: "Comparison") -> "Comparison":
        """Return the comparison with further entries."""
        return Comparison(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def improved(
        self, where: Array, numeric: Array, bound: Array, verdicts: Array | Verdict, kink: Array | bool = False
    ) -> "Comparison":
        """Return the comparison with some entries (by position) judged anew."""
        new = {"numeric": numeric, "bound": bound, "kink": kink, "verdicts": verdicts}
        arrays = {name: getattr(self, name).copy() for name in new}
        for name, values in new.items():
            arrays[name][where] = values
        return replace(self, **arrays)


@dataclass(frozen=True)
class Direction:
    """The derivative along one random direction of the whole tensor: backward's, and the complex step's."""

    analytic: float
    numeric: float
    rounding: float
    verdict: Verdict

    @property
    def unchecked(self) -> int:
        """None: all entries move."""
        return 0


class Together(Protocol):
    """What came of moving entries together."""

    @property
    def verdict(self) -> Verdict:
        """On all of them."""
        ...

    @property
    def unchecked(self) -> int:
        """How many entries were in no movement that says anything."""
        ...


@dataclass(frozen=True)
class Finding:
    """What came out; `direction` is None where every entry was checked on its own."""

    claim: Claim
    comparison: Comparison
    direction: Together | None


def compare(probe: Probe, entries: Array, h: float) -> Comparison:
    """Judge entries by differences of step h; what these cannot tell, and every failure, goes to the complex step."""
    analytic = probe.claim.gradient.reshape(-1)[entries]
    estimate, kink = probe.differences(entries, h)
    numeric, largest = estimate.derivative, np.abs(estimate.derivative).max(initial=0.0)
    bound = estimate.bound + 1e-13 * largest + probe.claim.rounding.reshape(-1)[entries]
    size = np.maximum(np.abs(numeric), SMALLEST * largest)
    agree = np.abs(analytic - numeric) <= bound
    dead = (numeric == 0) & (analytic == 0)
    nothing = (numeric == 0) | ((np.abs(analytic) <= bound) & (np.abs(numeric) <= bound))
    differ = ~agree & np.isfinite(numeric)
    verdicts = np.select(
        [estimate.crossed, dead, agree & (bound < DECISIVE * size), agree & nothing, differ],
        [Verdict.INCONCLUSIVE, Verdict.ZERO, Verdict.PASS, Verdict.ZERO, Verdict.FAIL],
        Verdict.INCONCLUSIVE,
    )
    comparison = Comparison(entries, analytic, numeric, bound, kink, verdicts)
    open_ = np.flatnonzero((verdicts >= Verdict.INCONCLUSIVE) & ~estimate.crossed)
    return _settled(comparison, open_, largest, probe) if len(open_) and probe.is_complex_safe else comparison


def _settled(comparison: Comparison, where: Array, largest: float, probe: Probe) -> Comparison:
    """Return the comparison with some entries judged by the complex step."""
    exact = probe.complex_step(comparison.entries[where])
    rounding = probe.claim.rounding.reshape(-1)[comparison.entries[where]]
    size = np.maximum(np.abs(exact), SMALLEST * largest)
    verdicts, numeric, bound = comparison.verdicts.copy(), comparison.numeric.copy(), comparison.bound.copy()
    verdicts[where] = _judge(comparison.analytic[where], exact, size, rounding)
    numeric[where], bound[where] = exact, EQUAL * size + rounding
    return Comparison(comparison.entries, comparison.analytic, numeric, bound, comparison.kink, verdicts)


def _judge(analytic: Array, exact: Array, size: Array, rounding: Array) -> Array:
    difference, nothing = np.abs(analytic - exact), np.maximum(np.abs(analytic), np.abs(exact)) <= rounding
    equal, different = EQUAL * size + rounding, DIFFERENT * size + 10 * rounding
    return np.select(
        [~np.isfinite(exact), nothing, ~(difference <= different), (difference <= equal) & (rounding <= COARSE * size)],
        [Verdict.INCONCLUSIVE, Verdict.ZERO, Verdict.FAIL, Verdict.PASS],
        Verdict.INCONCLUSIVE,
    )


def compare_along(probe: Probe) -> Direction | None:
    """Judge the whole tensor at once, by the complex step along a random direction; None where that cannot be done."""
    exact = probe.complex_step_along_direction
    if exact is None:
        return None
    analytic = float((probe.claim.gradient * probe.direction).sum())
    size = max(abs(exact), float(np.linalg.norm(probe.claim.gradient)))
    rounding = float(np.linalg.norm(probe.claim.rounding))
    verdict = Verdict(int(_judge(*map(np.array, (analytic, exact, size, rounding)))))
    return Direction(analytic, exact, rounding, verdict)


def is_in_doubt(comparison: Comparison, direction: Together | None, claim: Claim) -> bool:
    """Tell whether something is not right by no more than a few times its rounding."""
    wrong = comparison.verdicts >= Verdict.INCONCLUSIVE
    off = np.abs(comparison.analytic - comparison.numeric)[wrong]
    if (off <= DOUBT * claim.rounding.reshape(-1)[comparison.entries[wrong]]).any():
        return True
    if not isinstance(direction, Direction) or direction.verdict < Verdict.INCONCLUSIVE:
        return False
    return abs(direction.analytic - direction.numeric) <= DOUBT * direction.rounding
