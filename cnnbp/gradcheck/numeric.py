"""Numeric derivatives: the step, central differences with Richardson extrapolation, the complex step."""

from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.arguments import Argument
from cnnbp.gradcheck.computation import Computation, Forward, follow_branches, hold_branches

UNIT_ROUNDOFF = float(np.finfo(np.float64).eps) / 2
COMPLEX_STEP = 1e-30
RETRY_STEPS = (2.0**-14, 2.0**-18)  # when a kink lies within the first step
STACKED_COPIES = 64
STENCIL = np.array([1, -1, 0.5, -0.5])


def step_size(theta: Array) -> float:
    """Return the power of two that is about 1/1000 of the tensor's size, within 2⁻²²…2⁻⁸; 2⁻¹⁰ for an all-zero one."""
    rms = float(np.sqrt(np.mean(theta * theta))) or 1.0
    return float(2.0 ** np.clip(np.round(np.log2(rms)) - 10, -22, -8))


@dataclass(frozen=True)
class Estimate:
    """For each entry: the derivative, the bound on its error, and whether a kink was met (then branches were held)."""

    derivative: Array
    bound: Array
    kink: Array


@dataclass(frozen=True)
class Probe:
    """A computation and the argument that it is differentiated by."""

    computation: Computation
    argument: Argument
    arena: Arena

    def differences(self, entries: Array, h: Array) -> Estimate:
        """Estimate derivatives by central differences with step h (entries,), smaller at kinks, held at exact ties."""
        estimate = self._richardson(entries, h, follow_branches)
        kink = estimate.kink.copy()
        for limit in RETRY_STEPS:
            again = np.flatnonzero(estimate.kink)
            closer = self._richardson(entries[again], np.minimum(h[again], limit), follow_branches)
            estimate = _replaced(estimate, again, closer)
        again = np.flatnonzero(estimate.kink)
        held = self._richardson(entries[again], h[again], hold_branches)
        estimate = _replaced(estimate, again, held)
        return Estimate(estimate.derivative, estimate.bound, kink)

    def complex_step(self, entries: Array) -> Array:
        """Return derivatives with branches held, exact to rounding: nothing is subtracted."""
        derivatives = [np.empty(0)]
        for chunk in _chunks(entries, STACKED_COPIES):
            parts, _ = self._evaluate(chunk, np.full((len(chunk), 1), COMPLEX_STEP * 1j), hold_branches)
            derivatives.append(parts.imag.sum(axis=(0, 2)) / COMPLEX_STEP)
        return np.concatenate(derivatives)

    def _evaluate(self, entries: Array, shifts: Array, forward: Forward) -> tuple[Array, Array]:
        self.arena.reset()
        stack = self.argument.stacked(self.computation, entries, shifts, forward, self.arena)
        return self.computation.evaluate(stack, forward, self.arena)

    def _richardson(self, entries: Array, h: Array, forward: Forward) -> Estimate:
        """R = (4 D₂ − D₁)/3 from central differences: D₁ at h, D₂ at h/2."""
        derivative, bound, crossed = [np.empty(0)], [np.empty(0)], [np.empty(0, bool)]
        for chunk in _chunks(np.arange(len(entries)), STACKED_COPIES // 4):
            steps = h[chunk]
            parts, left = self._evaluate(entries[chunk], steps[:, None] * STENCIL, forward)
            parts = parts.reshape(len(parts), len(chunk), 4, -1)
            wide, narrow = parts[:, :, 0] - parts[:, :, 1], parts[:, :, 2] - parts[:, :, 3]
            d1, d2 = wide.sum(axis=(0, 2)) / (2 * steps), narrow.sum(axis=(0, 2)) / steps
            r = (4 * d2 - d1) / 3
            rounding = 64 * UNIT_ROUNDOFF * self.computation.head.magnitude(wide) / steps
            derivative.append(r)
            bound.append(1e-2 * np.abs(r - d2) + rounding)
            crossed.append(np.any(left.reshape(-1, 4), axis=1))
        return Estimate(np.concatenate(derivative), np.concatenate(bound), np.concatenate(crossed))


def _replaced(estimate: Estimate, where: Array, better: Estimate) -> Estimate:
    derivative, bound, kink = estimate.derivative.copy(), estimate.bound.copy(), estimate.kink.copy()
    derivative[where], bound[where], kink[where] = better.derivative, better.bound, better.kink
    return Estimate(derivative, bound, kink)


def _chunks(array: Array, size: int) -> list[Array]:
    return [array[start : start + size] for start in range(0, len(array), size)]
