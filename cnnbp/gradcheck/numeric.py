"""Numeric derivatives: the step, central differences with Richardson extrapolation, the complex step."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.exceptions import ComplexWarning

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.claims import Claim
from cnnbp.gradcheck.computation import Forward, follow_branches, hold_branches
from cnnbp.gradcheck.workers import Workers

UNIT_ROUNDOFF = float(np.finfo(np.float64).eps) / 2
COMPLEX_STEP = 1e-30
RETRY_STEPS = (2.0**-14, 2.0**-18)  # when a kink lies within the first step
STENCIL = np.array([1, -1, 0.5, -0.5])


def step_size(theta: Array) -> float:
    """Return the power of two that is about 1/1000 of the tensor's size, within 2⁻²²…2⁻⁸; 2⁻¹⁰ for an all-zero one."""
    rms = float(np.sqrt(np.mean(theta * theta))) or 1.0
    return float(2.0 ** np.clip(np.round(np.log2(rms)) - 10, -22, -8))


@dataclass(frozen=True)
class Estimate:
    """For each entry: the derivative, a bound on its error, and whether the evaluations left the base's branches."""

    derivative: Array
    bound: Array
    crossed: Array

    def improved(self, where: Array, better: "Estimate") -> "Estimate":
        """Return the estimate with some entries replaced."""
        derivative, bound, crossed = self.derivative.copy(), self.bound.copy(), self.crossed.copy()
        derivative[where], bound[where], crossed[where] = better.derivative, better.bound, better.crossed
        return Estimate(derivative, bound, crossed)


@dataclass(frozen=True)
class Probe:
    """Finds the derivatives that a claim is about. `advance` is told how many entries are done."""

    claim: Claim
    workers: Workers
    advance: Callable[[int], None] = lambda entries: None

    def differences(self, entries: Array, h: float) -> tuple[Estimate, Array]:
        """Estimate derivatives with step h, with smaller ones where a kink lies within it, with held branches at ties.

        Returns the estimate and which entries met a kink.
        """
        estimate = self._richardson(entries, h, follow_branches, self.advance)
        kink = estimate.crossed
        for limit in RETRY_STEPS:
            again = np.flatnonzero(estimate.crossed)
            estimate = estimate.improved(again, self._richardson(entries[again], min(h, limit), follow_branches))
        again = np.flatnonzero(estimate.crossed)
        return estimate.improved(again, self._richardson(entries[again], h, hold_branches)), kink

    def complex_step(self, entries: Array) -> Array:
        """Return derivatives with branches held, exact to rounding: nothing is subtracted."""

        def derivatives(chunk: Array, arena: Arena) -> Array:
            shifts = np.full((len(chunk), 1), COMPLEX_STEP * 1j)
            parts, _ = self.claim.parts(chunk, shifts, hold_branches, arena)
            return parts.imag.sum(axis=(0, 2, 3)) / COMPLEX_STEP

        chunks = _chunks(entries, self.claim.copies // 2)
        return np.concatenate([np.empty(0), *self.workers.map(derivatives, chunks)])

    def complex_step_along(self, direction: Array) -> float:
        """Return the derivative along a direction of theta's shape, with branches held."""
        parts = self.claim.parts_along(COMPLEX_STEP * 1j * direction, hold_branches, Arena())
        return float(parts.imag.sum() / COMPLEX_STEP)

    @cached_property
    def is_complex_safe(self) -> bool:
        """Whether the functions keep an imaginary part: a complex step agrees with a difference in some direction."""
        direction = np.random.default_rng(0).normal(size=self.claim.theta.shape)
        h = 2.0**-4 * step_size(self.claim.theta)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("error", ComplexWarning)
                exact = self.complex_step_along(direction)
        except (TypeError, ComplexWarning):
            return False
        above, below = (self.claim.parts_along(shift * direction, hold_branches, Arena()) for shift in (h, -h))
        rounding = 64 * UNIT_ROUNDOFF * float(np.abs(above).sum()) / h
        difference = float((above - below).sum()) / (2 * h)
        return abs(exact - difference) <= 1e-2 * abs(difference) + rounding

    def _richardson(
        self, entries: Array, h: float, forward: Forward, advance: Callable[[int], None] = lambda entries: None
    ) -> Estimate:
        """R = (4 D₂ − D₁)/3 from central differences: D₁ at h, D₂ at h/2, bounded by 10⁻²|R − D₂| and rounding."""

        def estimate(chunk: Array, arena: Arena) -> Estimate:
            shifts = np.broadcast_to(h * STENCIL, (len(chunk), len(STENCIL)))
            parts, crossed = self.claim.parts(chunk, shifts, forward, arena)  # (P, E, 4, m)
            wide, narrow = parts[:, :, 0] - parts[:, :, 1], parts[:, :, 2] - parts[:, :, 3]
            d1, d2 = wide.sum(axis=(0, 2)) / (2 * h), narrow.sum(axis=(0, 2)) / h
            r = (4 * d2 - d1) / 3
            rounding = 64 * UNIT_ROUNDOFF * self.claim.magnitude(wide) / h
            return Estimate(r, 1e-2 * np.abs(r - d2) + rounding, crossed)

        done = [Estimate(np.empty(0), np.empty(0), np.empty(0, bool))]
        for part in self.workers.map(estimate, _chunks(entries, self.claim.copies // len(STENCIL))):
            done.append(part)
            advance(len(part.derivative))
        return Estimate(*(np.concatenate([getattr(e, name) for e in done]) for name in Estimate.__dataclass_fields__))


def _chunks(array: Array, size: int) -> list[Array]:
    return [array[start : start + size] for start in range(0, len(array), size)]
