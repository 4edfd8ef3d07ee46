"""The slopes to the left and to the right of a point, for functions that say nothing of their kinks.

Steps shrink by four. From three of them Richardson's extrapolation takes the slope of one side, which is right if that
side is smooth as far as the longest of the three. Whether it is, shorter steps tell: a slope counts as long as all
shorter ones agree with it but for their rounding, and it is as uncertain as it differs from the next two. So a kink, or
a jump of any derivative, widens the bound and never shifts the slope, at whatever distance it is and however large.
"""

from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array

STEPS = 2.0 ** -np.arange(4.0, 35.0, 2.0)  # of the size of what is moved
SHIFTS = np.concatenate([[0.0], STEPS, -STEPS])
ROUNDINGS = 4.0  # times the noise of a value, that its error may be
_AMPLIFIED = 50.0  # noise in a slope that is extrapolated twice: (16·45 + 11)/15 of it, over the longest step
_CLOSEST = 4.0  # how many roundings a value has at least


@dataclass(frozen=True)
class Slopes:
    """For each function: an interval that holds its slope, or both of them and what lies between at a kink.

    `kink` tells where left and right differ by more than they are uncertain.
    """

    low: Array
    high: Array
    kink: Array

    @property
    def width(self) -> Array:
        """How far apart the ends are; infinite where nothing is known."""
        return self.high - self.low

    @property
    def middle(self) -> Array:
        """The number between the ends."""
        return (self.low + self.high) / 2


def slopes(values: Array, size: float, unit_roundoff: float, at: float = 0.0) -> Slopes:
    """Return the slopes of N sums of P parts each, given their values (P, N, S) at `size`·SHIFTS.

    What is moved is about `at` itself, and is rounded too. Parts with kinks are looked at one by one; where there are
    none the sum of all may be better known, as its parts' roundings partly cancel.
    """
    responding = (values != values[..., :1]).any(axis=(1, 2))
    values = values[responding] if responding.any() else values[:1]
    each = _sum_of_slopes(values, np.abs(values[..., 0]), size, unit_roundoff, at)
    length = np.sqrt(np.square(values[..., 0]).sum(axis=0, keepdims=True))
    whole = _sum_of_slopes(values.sum(axis=0, keepdims=True), length, size, unit_roundoff, at)
    better = ~each.kink & ~whole.kink & (whole.width < each.width)
    return Slopes(np.where(better, whole.low, each.low), np.where(better, whole.high, each.high), each.kink)


def _sum_of_slopes(values: Array, magnitude: Array, size: float, unit_roundoff: float, at: float) -> Slopes:
    """Return the sum of the parts' slopes; the parts (P, N) are rounded as numbers of their magnitude are."""
    count, steps = len(STEPS), size * STEPS
    moved = values[..., 1:] - values[..., :1]  # differences alone: kinks, noise and slopes are all in them
    right, left = moved[..., :count], moved[..., count:]
    coarse = np.abs(right[..., 2] - left[..., 2]) / (2 * steps[2])
    noise = _noise(right, left, _CLOSEST * unit_roundoff * (magnitude + abs(at) * coarse))
    (right_slope, right_bound), (left_slope, left_bound) = (
        _slope(side, by, noise) for side, by in ((right, steps), (left, -steps))
    )
    kink = np.abs(right_slope - left_slope) > right_bound + left_bound
    low = np.minimum(right_slope - right_bound, left_slope - left_bound).sum(axis=0)
    high = np.maximum(right_slope + right_bound, left_slope + left_bound).sum(axis=0)
    unknown = ~np.isfinite(low) | ~np.isfinite(high)
    return Slopes(np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high), kink.any(axis=0))


def _noise(right: Array, left: Array, own: Array) -> Array:
    """Return how far off each value may be, (P, N): its own rounding, or what the shortest steps scatter if it is more.

    Of the six second differences of either side a kink spoils three at most.
    """
    seconds = [np.abs(side[..., k - 1] - 4 * side[..., k]) / 5 for side in (right, left) for k in (-1, -2, -3)]
    scatter = np.sort(seconds, axis=0)[2]
    responds = right.any(axis=-1) | left.any(axis=-1)
    typical = np.median(scatter[responds]) if responds.any() else 0.0
    return np.where(responds, np.maximum(own, 3 * np.maximum(scatter, typical)), 0.0)


def _slope(moved: Array, steps: Array, noise: Array) -> tuple[Array, Array]:
    """Return the slope of one side, and its bound, for differences (P, N, K) at K steps."""
    plain = moved / steps
    once = (4 * plain[..., 1:] - plain[..., :-1]) / 3
    twice = (16 * once[..., 1:] - once[..., :-1]) / 15  # (P, N, K − 2)
    rounding = ROUNDINGS * _AMPLIFIED * noise[..., None] / np.abs(steps[: twice.shape[-1]])
    next_, after = np.abs(twice[..., :-2] - twice[..., 1:-1]), np.abs(twice[..., :-2] - twice[..., 2:])
    agrees = next_ <= rounding[..., :-2] + rounding[..., 1:-1]
    counts = np.logical_and.accumulate(agrees[..., ::-1], axis=-1)[..., ::-1]
    bounds = np.where(counts, next_ + after + rounding[..., :-2], np.inf)
    best = bounds.argmin(axis=-1)[..., None]
    slope, bound = np.take_along_axis(twice, best, -1)[..., 0], np.take_along_axis(bounds, best, -1)[..., 0]
    # with a kink within the shortest of them: the shortest difference, as uncertain as it differs from the next
    shortest, longer = plain[..., -1], plain[..., -2]
    own = 2 * np.abs(shortest - longer) + ROUNDINGS * noise / np.abs(steps[-1])
    nowhere = ~np.isfinite(bound)
    return np.where(nowhere, shortest, slope), np.where(nowhere, own, bound)
