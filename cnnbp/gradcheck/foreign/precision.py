"""What a forward computes in: float64, or something coarser that a difference must not be finer than."""

from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.foreign.pair import Pair


@dataclass(frozen=True)
class Precision:
    """`unit` is a relative rounding; `digits` are left of a slope.

    Steps begin at 2^`step` of a tensor's size. A difference decides where its bound is below `decisive` of an entry,
    and steps on either side where theirs is below `settled`; an entry counts as at least `smallest` of its tensor's
    largest. A group's slope must be known to `tight` of a typical entry. Two runs are the same up to `same`. A
    `disturbance` is far above a rounding, and far below where anything bends.
    """

    name: str
    unit: float
    digits: int
    step: int
    decisive: float
    settled: float
    smallest: float
    tight: float
    same: float
    disturbance: float


PRECISIONS = {
    "float64": Precision("float64", 2.0**-53, 8, -10, 1e-5, 1e-3, 1e-3, 1e-2, 1e-10, 2.0**-30),
    "float32": Precision("float32", 2.0**-24, 3, -5, 1e-2, 1e-1, 1e-1, 0.3, 1e-5, 2.0**-13),
    "float16": Precision("float16", 2.0**-11, 1, -3, 1e-1, 0.5, 0.5, 1.0, 1e-2, 2.0**-7),
}
_STEPS = 2.0 ** -np.array([22.0, 26.0, 30.0, 34.0])


def precision_of(pair: Pair, variable: int, y: Array) -> Precision:
    """Return the precision of y as a function of one variable.

    It shows in y's dtype; or in noise: how far y, on its way along a random direction, is from a straight line.
    """
    if y.dtype.name in PRECISIONS and y.dtype != np.float64:
        return PRECISIONS[y.dtype.name]
    theta = pair.arrays[variable]
    if theta.dtype.name in PRECISIONS and theta.dtype != np.float64:
        return PRECISIONS[theta.dtype.name]
    direction = np.random.default_rng(0).normal(size=theta.shape) * (float(np.sqrt(np.mean(theta * theta))) or 1.0)
    first, *rest = (pair.value({variable: theta + step * direction}, y) - y for step in _STEPS)
    off = [np.abs(moved - first * (step / _STEPS[0])) for moved, step in zip(rest, _STEPS[1:], strict=True)]
    responds = first != 0
    if not responds.any() or not np.isfinite(first).all():
        return PRECISIONS["float64"]
    size = max(float(np.sqrt(np.mean(np.square(some[responds])))) for some in (y, first / _STEPS[0]))
    noise = float(np.median(np.max(off, axis=0)[responds])) / size
    return PRECISIONS["float64" if noise < 2.0**-32 else "float32" if noise < 2.0**-19 else "float16"]
