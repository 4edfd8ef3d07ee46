"""Numeric derivatives: the step, central differences with Richardson extrapolation, the complex step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.exceptions import ComplexWarning

from cnnbp.arrays import Arena, Array
from cnnbp.engine.machine import warnings_filtered
from cnnbp.gradcheck.claims import Claim
from cnnbp.gradcheck.computation import Forward, follow_branches, hold_branches
from cnnbp.gradcheck.workers import Workers

UNIT_ROUNDOFF = float(np.finfo(np.float64).eps) / 2
COMPLEX_STEP = 1e-30
RETRY_STEPS = (2.0**-14, 2.0**-18)  # when a kink lies within the first step
SCALES = (2.0**-4, 2.0**-8, 2.0**-12)  # of the step: along a direction all entries move, and a function may bend a lot
EVALUATIONS = 4  # of an entry that meets no kink


def step_size(theta: Array, share: int = -10) -> float:
    """Return the power of two nearest to 2^share of the tensor's size, which counts as 2⁻¹² to 2²; as 1 if it is 0."""
    rms = float(np.sqrt(np.mean(theta * theta))) or 1.0
    return float(2.0 ** (np.clip(np.round(np.log2(rms)), -12, 2) + share))


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
        estimate = self.richardson(entries, h, follow_branches, self.advance)
        kink = estimate.crossed
        for limit in RETRY_STEPS:
            again = np.flatnonzero(estimate.crossed)
            estimate = estimate.improved(again, self.richardson(entries[again], min(h, limit), follow_branches))
        again = np.flatnonzero(estimate.crossed)
        return estimate.improved(again, self.richardson(entries[again], h, hold_branches)), kink

    def complex_step(self, entries: Array) -> Array:
        """Return derivatives with branches held, exact to rounding: nothing is subtracted."""

        def derivatives(chunk: Array, arena: Arena) -> Array:
            shifts = np.full((len(chunk), 1), COMPLEX_STEP * 1j)
            parts, _ = self.claim.parts(chunk, shifts, hold_branches, arena)
            return parts.imag.sum(axis=(0, 2, 3)) / COMPLEX_STEP

        chunks = _chunks(entries, self.claim.copies // 2)
        return np.concatenate([np.empty(0), *self.workers.map(derivatives, chunks)])

    @cached_property
    def direction(self) -> Array:
        """A random direction of theta's shape: every entry ±1."""
        return np.random.default_rng(0).choice([-1.0, 1.0], self.claim.theta.shape)

    @cached_property
    def complex_step_along_direction(self) -> float | None:
        """The derivative along the direction, branches held; None where a function drops the imaginary part."""
        try:
            with np.errstate(all="ignore"), warnings_filtered("error", ComplexWarning):
                parts = self._along(COMPLEX_STEP * 1j * self.direction, hold_branches)
        except (TypeError, ComplexWarning):
            return None
        exact = float(parts.imag.sum() / COMPLEX_STEP)
        return exact if not np.isfinite(exact) or any(self._agrees(exact, scale) for scale in SCALES) else None

    def _agrees(self, exact: float, scale: float) -> bool:
        """Whether a difference along the direction, with a share of the usual step, comes near."""
        h = scale * step_size(self.claim.theta)
        above, below = (self._along(shift * self.direction, hold_branches) for shift in (h, -h))
        rounding = (64 * UNIT_ROUNDOFF * float(np.abs(above).sum()) + self.claim.forward_rounding) / h
        difference = float((above - below).sum()) / (2 * h)
        return abs(exact - difference) <= 1e-2 * abs(difference) + rounding

    @property
    def is_complex_safe(self) -> bool:
        """Whether the complex step can be used."""
        return self.complex_step_along_direction is not None

    @cached_property
    def is_affine(self) -> bool:
        """Whether second differences vanish along a random direction: then any step is exact, and a long one best."""
        if not self.claim.may_be_affine:
            return False
        direction = np.random.default_rng(1).normal(size=self.claim.theta.shape)
        below, base, above, beyond = (
            self._along(shift * direction, follow_branches) for shift in (-1.0, 0.0, 1.0, 2.0)
        )
        size = np.abs([below, base, above, beyond]).max(axis=0)
        bends = np.maximum(np.abs(above - 2 * base + below), np.abs(beyond - 2 * above + base))
        return bool((bends <= max(1e-12, 64 * self.claim.unit_roundoff) * np.maximum(size, size.mean())).all())

    def _along(self, step: Array, forward: Forward) -> Array:
        [parts] = self.workers.map(lambda step, arena: self.claim.parts_along(step, forward, arena), [step])
        return parts

    def richardson(
        self,
        entries: Array,
        h: float,
        forward: Forward = follow_branches,
        advance: Callable[[int], None] = lambda entries: None,
    ) -> Estimate:
        """R = (4 D₂ − D₁)/3 from central differences: D₁ at h, D₂ at h/2, bounded by 10⁻²|R − D₂| and rounding.

        Where h already crosses a kink, h/2 is not tried and nothing bounds the estimate.
        """

        def estimate(chunk: Array, arena: Arena) -> Estimate:
            wide = self._central(chunk, h, forward, arena)
            inside = np.flatnonzero(~wide.crossed)
            narrow = self._central(chunk[inside], h / 2, forward, arena)
            r = (4 * narrow.derivative - wide.derivative[inside]) / 3
            bound = 1e-2 * np.abs(r - narrow.derivative) + wide.bound[inside]
            return Estimate(wide.derivative, np.full(len(chunk), np.inf), wide.crossed).improved(
                inside, Estimate(r, bound, narrow.crossed)
            )

        done = [Estimate(np.empty(0), np.empty(0), np.empty(0, bool))]
        for part in self.workers.map(estimate, _chunks(entries, self.claim.copies // 2)):
            done.append(part)
            advance(len(part.derivative))
        return Estimate(*(np.concatenate([getattr(e, name) for e in done]) for name in Estimate.__dataclass_fields__))

    def _central(self, entries: Array, h: float, forward: Forward, arena: Arena) -> Estimate:
        """D = (f(θ+h) − f(θ−h))/2h, bounded by its rounding alone."""
        if not len(entries):
            return Estimate(np.empty(0), np.empty(0), np.empty(0, bool))
        arena.reset()
        parts, crossed = self.claim.parts(entries, np.tile([h, -h], (len(entries), 1)), forward, arena)  # (P, E, 2, m)
        difference = parts[:, :, 0] - parts[:, :, 1]
        rounding = 64 * UNIT_ROUNDOFF * self.claim.magnitude(difference) / h
        return Estimate(difference.sum(axis=(0, 2)) / (2 * h), rounding, crossed)


def _chunks(array: Array, size: int) -> list[Array]:
    return [array[start : start + size] for start in range(0, len(array), size)]
