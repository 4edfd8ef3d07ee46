"""What a backward that others bring says about one of its arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.computation import Forward
from cnnbp.gradcheck.foreign.observation import Observation
from cnnbp.gradcheck.foreign.pair import Pair
from cnnbp.gradcheck.foreign.precision import PRECISIONS, Precision

STACK_NUMBERS = 1 << 21  # of y, in evaluations that are compared together
CALL = 20_000  # numbers that could be handled in the time of a call


@dataclass(frozen=True)
class PairClaim:
    """`gradient` is said to be the derivative of ⟨dy, y⟩ by one array; one part for each number of y."""

    pair: Pair
    variable: int
    seen: Observation

    may_be_affine = True  # ⟨dy, y⟩ is linear in y
    forward_rounding = 0.0

    @property
    def name(self) -> str:
        return self.pair.names[self.variable]

    @cached_property
    def theta(self) -> Array:
        return np.asarray(self.pair.arrays[self.variable], np.float64)

    @property
    def gradient(self) -> Array:
        return self.seen.gradients[self.name]

    @property
    def rounding(self) -> Array:
        return self.seen.rounding[self.name]

    @property
    def unit_roundoff(self) -> float:
        return self.precision.unit

    @property
    def precision(self) -> Precision:
        """What forward computes in, as this array sees it."""
        return self.seen.precision[self.name]

    def closer(self) -> "PairClaim":
        return self

    @property
    def copies(self) -> int:
        return max(4, min(1024, STACK_NUMBERS // max(self.seen.y.size, 1)))

    @property
    def work(self) -> int:
        return CALL + sum(np.size(array) for array in self.pair.arrays) + self.seen.y.size

    def parts(self, entries: Array, shifts: Array, forward: Forward, arena: Arena) -> tuple[Array, Array]:
        values = np.empty((self.seen.y.size, *shifts.shape), np.result_type(shifts, np.float64))
        for position, (entry, moves) in enumerate(zip(entries.tolist(), shifts, strict=True)):
            for which, shift in enumerate(moves):
                step = np.zeros(self.theta.shape, shifts.dtype)
                step.reshape(-1)[entry] = shift
                values[:, position, which] = self.parts_along(step, forward, arena)[:, 0]
        return values[..., None], np.zeros(len(entries), bool)

    def parts_along(self, step: Array, forward: Forward, arena: Arena) -> Array:
        given = self.pair.arrays[self.variable]
        moved = self.theta + step
        y = self.pair.value({self.variable: moved if np.iscomplexobj(step) else moved.astype(given.dtype)}, self.seen.y)
        return (y.astype(np.result_type(y, np.float64)) * self.seen.upstream).reshape(-1, 1)

    def magnitude(self, difference: Array) -> Array:
        touched = np.count_nonzero(difference, axis=(0, 2))
        largest = float(np.abs(self.seen.y).max(initial=0)) * float(np.abs(self.seen.upstream).max(initial=0))
        coarser = self.precision.unit / PRECISIONS["float64"].unit
        return np.maximum(touched, 1) * largest * coarser
