"""Entries that are not looked at one by one are moved together: a wrong one among thousands still shows.

They move by random amounts, so that mistakes do not cancel. Where a group stands on kinks its slope is known only to
lie between two ends; such a group is halved, as is one that is wrong, until what is in the way stands alone.
"""

from collections import deque
from enum import Enum, auto

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck.computation import follow_branches
from cnnbp.gradcheck.foreign.claim import PairClaim
from cnnbp.gradcheck.foreign.nearby import Nearby
from cnnbp.gradcheck.foreign.sides import SHIFTS, Slopes, slopes
from cnnbp.gradcheck.numeric import UNIT_ROUNDOFF, step_size

GROUPS = 8
LOOKS = 64  # at groups, of one array, before what is loose stays so
HALVINGS = 3  # more, where neither half is wrong
SMALL = 32  # entries in a group, from which on each is left out in turn
CONVENTIONS = 3  # groups that are explained by their surroundings, before it is given up


class Look(Enum):
    """What a group's slope says of its gradient; LOOSE: nothing, it may be any number of a wide interval."""

    RIGHT = auto()
    LOOSE = auto()
    WRONG = auto()


def may_tie(theta: Array) -> Array:
    """Tell which entries are 0, or the same as another one."""
    _, which, counts = np.unique(theta, return_inverse=True, return_counts=True)
    return (counts[which.reshape(theta.shape)] > 1) | (theta == 0)


class Groups:
    """The entries of one claim, looked at in groups.

    Numbers that tie are moved up, by amounts that are nearly one: they stay together, as the pieces of a pool or a ReLU
    do. Up and down at once, kinks that meet would look like a mistake. What is wrong even so may be one of those
    gradients that lie around the point.
    """

    def __init__(self, claim: PairClaim, nearby: Nearby, seed: int) -> None:
        self._claim, self._nearby, self._looks = claim, nearby, 0
        self._rng = np.random.default_rng([seed, 3])
        self._ties = np.flatnonzero(may_tie(claim.theta))
        self._gradient, self._rounding = claim.gradient.reshape(-1), claim.rounding.reshape(-1)

    def check(self, rest: Array) -> tuple[Array | None, int]:
        """Check entries in groups; return a wrong one, if there is, and of how many entries nothing is known."""
        theta, tie = self._claim.theta.reshape(-1)[rest], np.isin(rest, self._ties)
        free, tied = self._rng.permutation(rest[~tie]), rest[tie][np.argsort(theta[tie])]  # equal numbers side by side
        waiting = deque((group, up) for some, up in ((free, False), (tied, True)) for group in _parted(some))
        unchecked = 0
        while waiting:
            group, up = waiting.popleft()
            seen = self._look(group, up=up)
            if seen is Look.WRONG:
                wrong = self._smallest(group, up=up)
                if not (up and self._nearby.holds(wrong)):
                    return wrong, 0
                seen = Look.LOOSE
            if seen is Look.LOOSE and len(group) > 1 and self._looks < LOOKS:
                waiting += [(half, up) for half in np.array_split(group, 2)]
            elif seen is Look.LOOSE:
                unchecked += len(group)
        return None, unchecked

    def wrong_where_all_move(self) -> Array | None:
        """Look at all entries that cannot tie at once, and then at all there are."""
        everything = np.arange(self._claim.theta.size)
        free = np.setdiff1d(everything, self._ties)
        if len(free) and self._look(free) is Look.WRONG:
            return self._smallest(free)
        for _ in range(CONVENTIONS):
            if self._look(everything, up=True) is not Look.WRONG:
                return None
            wrong = self._smallest(everything, up=True)
            if not self._nearby.holds(wrong):
                return wrong
            everything = np.setdiff1d(everything, wrong)
        return None

    def _look(self, group: Array, *, up: bool = False) -> Look:
        """Compare the slope along a direction of a group with what backward says of it: briefly, if that will do."""
        self._looks += 1
        amounts = self._rng.uniform(0.99, 1.01, len(group)) if up else self._rng.uniform(0.5, 1.5, len(group))
        if not up:
            amounts *= self._rng.choice([-1.0, 1.0], len(group))
        gradient, rounding = self._gradient[group], self._rounding[group]
        slack = 1e-13 * np.abs(gradient * amounts).sum() + float(np.linalg.norm(rounding * amounts))
        says, typical = float((gradient * amounts).sum()), float(np.sqrt(np.mean(np.square(gradient))))
        wide = self._claim.precision.tight * typical
        slope, bound = self._central(group, amounts)
        if bound <= wide and abs(slope - says) <= bound + slack:
            return Look.RIGHT
        found = self._from_either_side(group, amounts)
        if not found.low[0] - slack <= says <= found.high[0] + slack:
            return Look.WRONG
        return Look.RIGHT if found.width[0] <= wide else Look.LOOSE

    def _central(self, group: Array, amounts: Array) -> tuple[float, float]:
        """Return Richardson's slope along a direction, and its bound if nothing has a kink."""
        claim = self._claim
        h = step_size(claim.theta, claim.precision.step) / np.sqrt(len(group))
        values = self._values(group, amounts, np.array([h, -h, h / 2, -h / 2]))
        wide, narrow = values[:, 0] - values[:, 1], values[:, 2] - values[:, 3]
        slope, near = float((4 * narrow / h - wide / (2 * h)).sum() / 3), float(narrow.sum() / h)
        rounding = 64 * UNIT_ROUNDOFF * float(claim.magnitude(narrow[:, None, None])[0]) / h
        return slope, 1e-2 * abs(slope - near) + rounding

    def _from_either_side(self, group: Array, amounts: Array) -> Slopes:
        size = step_size(self._claim.theta, 0)
        values = self._values(group, amounts, size * SHIFTS)
        return slopes(values[:, None], size, self._claim.precision.unit, size)

    def _values(self, group: Array, amounts: Array, shifts: Array) -> Array:
        """Return the parts (P, S) with a group moved by each of the shifts."""
        claim, direction = self._claim, np.zeros(self._claim.theta.size)
        direction[group] = amounts
        steps = [(shift * direction).reshape(claim.theta.shape) for shift in shifts]
        return np.stack([claim.parts_along(step, follow_branches, Arena())[:, 0] for step in steps], axis=-1)

    def _smallest(self, group: Array, *, up: bool = False) -> Array:
        """Halve a wrong group while one half is wrong; then leave out what it can do without."""
        while (half := self._wrong_half(group, up=up)) is not None:
            group = half
        if 1 < len(group) <= SMALL:
            for entry in group:
                fewer = group[group != entry]
                if len(fewer) and self._look(fewer, up=up) is Look.WRONG:
                    group = fewer
        return np.sort(group)

    def _wrong_half(self, group: Array, *, up: bool) -> Array | None:
        """Return a half that is wrong; what is wrong only together may be parted by one way of halving, not by all."""
        for order in (group, *(self._rng.permutation(group) for _ in range(HALVINGS))):
            for half in np.array_split(order, 2) if len(group) > 1 else ():
                if self._look(half, up=up) is Look.WRONG:
                    return half
        return None


def _parted(entries: Array) -> list[Array]:
    return [part for part in np.array_split(entries, GROUPS) if len(part)]
