"""Layers that take each number for itself: dx/dy is a slope, and can be looked at as a function of x."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.diagnosis.pattern import Pattern
from cnnbp.gradcheck.diagnosis.trial import Experiment, Trial, Wrong
from cnnbp.layers.activations import sigmoid
from cnnbp.layers.dropout import Dropout
from cnnbp.layers.reshape import Flatten

Formula = Callable[[Array, Array], Array]  # of z and y

FORMULAS: Mapping[str, Formula] = {
    "1: the derivative is left out": lambda z, y: np.ones_like(z),
    "z(1 − z): y is meant": lambda z, y: z * (1 - z),
    "1 − z²: y is meant": lambda z, y: 1 - z**2,
    "1 − y: the square is missing": lambda z, y: 1 - y,
    "y(1 − y)": lambda z, y: y * (1 - y),
    "1 − y²": lambda z, y: 1 - y**2,
    "σ(y)(1 − σ(y)): σ is applied once too often": lambda z, y: sigmoid(y) * (1 - sigmoid(y)),
    "σ(z): the product rule has a second term": lambda z, y: sigmoid(z),
    "y + 1 on the left: α is missing": lambda z, y: np.where(z > 0, 1, y + 1),
    "y on the left: + α is missing": lambda z, y: np.where(z > 0, 1, y),
    "half of the chain rule: the inner derivative is missing": lambda z, y: _gelu_outer(z),
}


def _gelu_outer(z: Array) -> Array:
    t = np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t)


def _slopes(trial: Trial, wrong: Wrong) -> tuple[Array, Array, Array] | None:
    """Return backward's slope, the right one (NaN where unknown) and z, where dy is not 0; None for other layers."""
    pattern = wrong.get("dx")
    if pattern is None or trial.params or len(trial.xs) > 1 or trial.dy.shape != trial.xs[0].shape:
        return None
    if isinstance(trial.layer, Flatten) or trial.layer.window(trial.xs[0].shape[:-1]):
        return None
    known = pattern.known & (trial.dy != 0)
    return pattern.analytic[known] / trial.dy[known], pattern.numeric[known] / trial.dy[known], trial.xs[0][known]


def has_another_mask(trial: Trial, wrong: Wrong) -> str | None:
    """Dropout: gradient where forward dropped, or a mask of backward's own."""
    slopes = _slopes(trial, wrong)
    if slopes is None or not isinstance(trial.layer, Dropout):
        return None
    analytic, numeric, _ = slopes
    if not (numeric == 0).any() or not (analytic != 0)[numeric == 0].any():
        return None
    if analytic.all():
        return "dx flows where forward dropped, too: the mask is missing"
    return "dx is dropped at other places than forward dropped: a mask of its own"


def wrong_on_one_side(trial: Trial, wrong: Wrong) -> str | None:
    """Slopes that are constant on each side of 0, and wrong on one or both."""
    slopes = _slopes(trial, wrong)
    if slopes is None or isinstance(trial.layer, Dropout):
        return None
    analytic, numeric, z = slopes
    off = np.abs(analytic - numeric) > 1e-7 * np.maximum(np.abs(numeric), 1e-3)
    if off.any() and not off[z != 0].any():
        return "dx is wrong only where x is exactly 0: the other side's slope counts there"
    sides = {
        side: (_constant(analytic[at]), _constant(numeric[at])) for side, at in (("left", z < 0), ("right", z > 0))
    }
    (left, right_left), (right, right_right) = sides["left"], sides["right"]
    if None in (left, right_left, right, right_right):
        return None
    if left == right_right and right == right_left and left != right:
        return f"the slopes left and right of 0 are exchanged: {left:.4g} and {right:.4g}"
    for side, (got, needed) in sides.items():
        if got != needed:
            return f"{side} of 0 the slope is {got:.4g}, it should be {needed:.4g}"
    return None


def _constant(slopes: Array) -> float | None:
    """Return the one slope of a side to seven digits, None where there are several."""
    if not slopes.size or np.ptp(slopes) > 1e-7 * max(np.abs(slopes).max(), 1e-3):
        return None
    return float(f"{slopes[0]:.7g}") + 0.0  # no −0


def fits_another_formula(trial: Trial, wrong: Wrong) -> str | None:
    """A slope that a usual mistake gives."""
    slopes = _slopes(trial, wrong)
    if slopes is None or isinstance(trial.layer, Dropout):
        return None
    analytic, (y, _) = slopes[0], trial.forward()
    known = _known(wrong["dx"], trial.dy)
    for said, formula in FORMULAS.items():
        if np.allclose(analytic, formula(trial.xs[0], y)[known], rtol=1e-9, atol=1e-12):
            return f"dx/dy is {said}"
    return None


def _known(pattern: Pattern, dy: Array) -> Array:
    return pattern.known & (dy != 0)


SLOPE_EXPERIMENTS: Sequence[Experiment] = (has_another_mask, wrong_on_one_side, fits_another_formula)
