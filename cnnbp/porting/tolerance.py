"""How far apart two programs may be that are both right: some roundings of the coarser one's numbers.

A sum of n numbers that are added one after the other in their own format is off by about √n roundings: 110 for 10,000
terms, 316 for 100,000 (the worst of 200 sums in float32, drawn at random). So more are allowed where sums are longer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np

from cnnbp.arrays import Array
from cnnbp.errors import ConfigError

ROUNDINGS, PER_ROOT = 64.0, 3.0  # that are allowed at least; and for sums of n terms, times √n

_OPTION = "--tolerance"


@dataclass(frozen=True)
class Tolerance:
    """`share` of the size of the numbers that a tensor is made of; what it is, and `why` they are of this precision."""

    share: float
    of: str
    precision: str
    why: str

    @classmethod
    def for_arrays(cls, computed: Iterable[Array], terms: int, share: float | None) -> Self:
        """Return what computed arrays allow whose longest sums have so many terms, or the share that was asked for.

        Raises ConfigError for numbers that are too coarse.
        """
        precision, why = _precision([array for array in computed if array.dtype.kind == "f"])
        if share is not None:
            return cls(share, f"as {_OPTION} says", precision, why)
        if precision == "float16":
            raise ConfigError(f"{why}: 3 digits are too few to judge by; compute in float32, or give {_OPTION}")
        unit, roundings = float(np.finfo(precision).eps) / 2, max(ROUNDINGS, PER_ROOT * sqrt(terms))
        return cls(roundings * unit, f"{roundings:.0f} roundings, for sums of {terms:,} terms", precision, why)

    def bound(self, scale: float) -> float:
        """Return how far an entry may be off, given the scale of its tensor."""
        return max(self.share * scale, float(np.finfo(self.precision).tiny))

    @property
    def is_coarse(self) -> bool:
        """Whether ratios cannot be told to six digits."""
        return self.share > 1e-9


def _precision(arrays: list[Array]) -> tuple[str, str]:
    for name in ("float16", "float32"):
        if any(array.dtype == name for array in arrays):
            return name, f"arrays are {name}"
    if arrays and all(_are_singles(array) for array in arrays):
        return "float32", "arrays are float64, but each of their numbers is one of float32's"
    return "float64", "arrays are float64"


def _are_singles(array: Array) -> bool:
    with np.errstate(over="ignore"):
        return np.array_equal(array.astype(np.float32).astype(np.float64), array, equal_nan=True)
