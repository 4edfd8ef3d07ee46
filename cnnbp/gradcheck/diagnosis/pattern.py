"""One tensor's two gradients side by side: what every hint reads."""

from dataclasses import dataclass, field

import numpy as np

from cnnbp.arrays import Array

Sizes = dict[str, float]  # numbers that a stray factor may come from, by symbol: {"M": 5, "kH·kW": 9}

EQUAL, SMALLEST = 1e-8, 1e-3  # of an entry's size; an entry counts as at least this share of its tensor's largest


@dataclass(frozen=True)
class Pattern:
    """What backward says of every entry, and what differences say (NaN where they were not asked).

    `wrong` and `kink` mark entries that failed and that met a kink, `bound` is how far the differences can be off.
    `axes` names the axes: row, column, channel, filter, image, … .
    """

    analytic: Array
    numeric: Array
    wrong: Array
    kink: Array
    bound: Array
    axes: tuple[str, ...]
    sizes: Sizes = field(default_factory=dict)
    exactness: float = 1e-6  # of a ratio: how far it may be off and be a known size

    @property
    def known(self) -> Array:
        """Which entries were checked."""
        return ~np.isnan(self.numeric)

    @property
    def slack(self) -> Array:
        """How far apart two numbers may be that are one, at every entry."""
        size = np.abs(self.numeric)
        return EQUAL * np.maximum(size, SMALLEST * np.nanmax(size)) + 2 * self.bound

    def explained_by(self, candidate: Array) -> bool:
        """Whether a candidate, made of what backward says, is right at every checked entry."""
        if candidate.shape != self.numeric.shape:
            return False
        known = self.known
        return bool((np.abs(candidate - self.numeric) <= self.slack)[known].all())

    def axis(self, name: str) -> int | None:
        """Return which axis has this name."""
        return self.axes.index(name) if name in self.axes else None

    def wrong_along(self, axis: int) -> tuple[Array, Array]:
        """Return at which indices of an axis an entry was wrong, and at which one was checked."""
        others = tuple(i for i in range(self.wrong.ndim) if i != axis)
        return np.flatnonzero(self.wrong.any(axis=others)), np.flatnonzero(self.known.any(axis=others))
