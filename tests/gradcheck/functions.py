"""Claims about plain functions, for the tests of what judges them."""

from dataclasses import dataclass, replace

import numpy as np

from cnnbp.gradcheck.numeric import Probe
from cnnbp.gradcheck.workers import Workers


@dataclass(frozen=True)
class FunctionClaim:
    """Says that `gradient` is the derivative of f(θ), which takes (…, N) columns and returns one number for each.

    `pieces` tells on which piece each column is; `held` is f on the base point's piece. `uncertain` is the rounding of
    the gradient, `certainly` what a closer look takes it for.
    """

    function: object
    theta: np.ndarray
    gradient: np.ndarray
    pieces: object = None
    held: object = None
    size: float = 1.0
    uncertain: float = 0.0
    certainly: float | None = None
    forward_rounding: float = 0.0
    unit_roundoff: float = 2.0**-53
    may_be_affine: bool = False
    copies: int = 64
    work: int = 1
    name: str = "theta"

    @property
    def rounding(self):
        return np.full(self.theta.shape, self.uncertain)

    def closer(self):
        return self if self.certainly is None else replace(self, uncertain=self.certainly)

    def _evaluate(self, columns, forward):
        held = forward.__name__ == "hold_branches"
        return (self.held if held and self.held else self.function)(columns)

    def parts(self, entries, shifts, forward, arena):
        E, S = shifts.shape
        columns = np.repeat(self.theta.reshape(-1, 1), E * S, axis=1).astype(np.result_type(self.theta, shifts))
        columns[np.repeat(entries, S), np.arange(E * S)] += shifts.reshape(-1)
        crossed = np.zeros((E, S), bool)
        if self.pieces and forward.__name__ == "follow_branches":
            crossed = (self.pieces(columns) != self.pieces(self.theta.reshape(-1, 1))).reshape(E, S)
        return self._evaluate(columns, forward).reshape(1, E, S, 1), crossed.any(axis=1)

    def parts_along(self, step, forward, arena):
        return self._evaluate((self.theta + step).reshape(-1, 1), forward).reshape(1, 1)

    def magnitude(self, difference):
        return np.full(difference.shape[1], self.size)


def probe(claim):
    return Probe(claim, Workers(1))
