"""What a wrong tensor looks like: the gradient check's diagnosis, for numbers that another program has computed.

Its code cannot be run, so what cannot be read from its numbers is tried the other way round: what do the mistakes of
the catalogue give for the same input, and are they these very numbers?
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs import LAYER_BUGS, LOSS_BUGS
from cnnbp.gradcheck.bugs.mistakes import LossStep, Step
from cnnbp.gradcheck.diagnosis import Pattern, Sizes, Trial, factors, tensor_hint
from cnnbp.gradcheck.diagnosis.normalization import NORMALIZATION_EXPERIMENTS
from cnnbp.gradcheck.diagnosis.reading import sizes_of
from cnnbp.gradcheck.diagnosis.slopes import SLOPE_EXPERIMENTS
from cnnbp.losses import Loss
from cnnbp.porting.layouts import Axes
from cnnbp.porting.mistakes import forward_mistakes
from cnnbp.porting.steps import LayerStep

# What is another choice at a kink, not a mistake.
CONVENTIONS: Mapping[str, str] = {
    "last-maximum": "of tied maxima the last one gets dy; in cnnbp, and in PyTorch, the first",
    "passes-zero": "where z is exactly 0 the slope is 1; in cnnbp, and in PyTorch, 0",
}
MOST_OUTPUTS = 512  # that are sent back one at a time

_LOOK_FIRST = (factors.zero_everywhere, factors.wrong_sign, factors.constant_ratio)


@dataclass(frozen=True, eq=False)
class Mismatch:
    """Two arrays that should be one, in cnnbp's own layout: what was found, what is right, and how far it may be off.

    `exactness` is how far a ratio of theirs may be off.
    """

    found: Array
    right: Array
    bound: float
    axes: Axes
    exactness: float

    def is_close(self, candidate: Array) -> bool:
        """Whether what was found is this, as exact as it can be asked for."""
        return candidate.shape == self.found.shape and _close(self.found, candidate, self.bound)

    def is_explained_by(self, candidate: Array) -> bool:
        """Whether what was found is this, which is another thing than what is right."""
        return self.is_close(candidate) and not _close(candidate, self.right, self.bound)

    def pattern(self, sizes: Sizes) -> Pattern:
        """Return what hints read; a scalar as a vector of one."""
        found, right = np.atleast_1d(self.found), np.atleast_1d(self.right)
        wrong, kink = ~(np.abs(found - right) <= self.bound), np.zeros(right.shape, bool)
        bound = np.full(right.shape, self.bound)
        return Pattern(found, right, wrong, kink, bound, self.axes or ("",), sizes, self.exactness)


def _close(left: Array, right: Array, bound: float) -> bool:
    return bool((np.abs(left - right) <= bound).all())


def plain_hint(mismatch: Mismatch, **sizes: float) -> str | None:
    """Return what can be said without knowing what made the numbers."""
    return tensor_hint(mismatch.pattern(sizes))


def output_hint(step: LayerStep, mismatch: Mismatch) -> str | None:
    """Return what is wrong with what a layer gives."""
    told = next((said for said, y in forward_mistakes(step) if mismatch.is_explained_by(y)), None)
    return told or plain_hint(mismatch)


def loss_hint(loss: Loss, logits: Array, labels: Array, mismatch: Mismatch) -> str | None:
    """Return what is wrong with ∂L/∂logits."""
    pattern = mismatch.pattern({"M": len(labels), "K": len(logits)})
    _, cache = loss.forward(logits, labels)
    step = LossStep(loss, logits, labels, cache, len(labels))
    bugs = (bug for bug in LOSS_BUGS if bug.fits(loss, len(logits)))
    told = _first_look(pattern)
    return told or next(
        (bug.story for bug in bugs if mismatch.is_explained_by(bug.mistake(step))), tensor_hint(pattern)
    )


def gradient_hint(step: LayerStep, gradient: str, mismatch: Mismatch) -> str | None:
    """Return what is wrong with a gradient of a layer (dx, dW, …)."""
    pattern = mismatch.pattern(_sizes(step))
    return (
        sure_gradient_hint(step, gradient, mismatch)
        or _overwritten(step, gradient, mismatch)
        or _tried(step, gradient, pattern)
        or tensor_hint(pattern)
    )


def sure_gradient_hint(step: LayerStep, gradient: str, mismatch: Mismatch) -> str | None:
    """Return what is wrong with it, if it is one thing everywhere."""
    told = _first_look(mismatch.pattern(_sizes(step)))
    found = (bug for bug, gradients in _broken(step) if mismatch.is_explained_by(gradients[gradient]))
    return told or next((_story(bug, step) for bug in found), None)


def convention(step: LayerStep, mismatch: Mismatch) -> str | None:
    """Return which other choice at kinks a dx has made, if that is all that it differs by."""
    found = (bug for bug, gradients in _broken(step, CONVENTIONS) if mismatch.is_explained_by(gradients["dx"]))
    return next((CONVENTIONS[bug] for bug in found), None)


def _first_look(pattern: Pattern) -> str | None:
    return next((hint for look in _LOOK_FIRST if (hint := look(pattern))), None)


def _sizes(step: LayerStep) -> Sizes:
    assert step.dy is not None
    return {"M": float(step.dy.shape[-1]), **sizes_of(step.node)}


def _tried(step: LayerStep, gradient: str, pattern: Pattern) -> str | None:
    """Ask those experiments of the gradient check that only read numbers."""
    assert step.dy is not None
    trial = Trial(step.node.layer, step.params, step.xs, step.dy, step.context)
    experiments = (*SLOPE_EXPERIMENTS, *NORMALIZATION_EXPERIMENTS)
    return next((hint for attempt in experiments if (hint := attempt(trial, {gradient: pattern}))), None)


def _overwritten(step: LayerStep, gradient: str, mismatch: Mismatch) -> str | None:
    """A dx in which windows overlap, and one of their shares stands for all, whatever the order of the loops."""
    assert step.dy is not None
    if gradient != "dx" or step.node.layer.window(step.node.input_shapes[0]) is None:
        return None
    _, height, width, _ = step.dy.shape
    if height * width > MOST_OUTPUTS:
        return None
    is_one, is_alone = np.zeros(mismatch.found.shape, bool), np.ones(mismatch.found.shape, bool)
    for row, column in np.ndindex(height, width):
        dy = np.zeros_like(step.dy)
        dy[:, row, column] = step.dy[:, row, column]
        share = step.towards(dy).gradients()["dx"]
        is_one |= (share != 0) & (np.abs(mismatch.found - share) <= mismatch.bound)
        is_alone &= share == 0
    if (is_one | (is_alone & (mismatch.found == 0))).all():
        return "where windows overlap one's share overwrites another's: they must add up"
    return None


def _story(name: str, step: LayerStep) -> str:
    return next(bug.story for bug in LAYER_BUGS if bug.name == name and bug.fits(step.node))


def _broken(step: LayerStep, names: Mapping[str, str] | None = None) -> Iterator[tuple[str, dict[str, Array]]]:
    """Yield the name of each bug that fits a layer, and the gradients that come of it."""
    for bug in LAYER_BUGS:
        if bug.fits(step.node) and (names is None or bug.name in names):
            own = replace(step, xs=tuple(x.copy() for x in step.xs))
            assert own.dy is not None
            y, cache = own.forward()
            broken = bug.mistake(Step(own.node.layer, own.params, own.x, y, own.dy.copy(), cache, own.context, {}))
            yield bug.name, own.named(*broken)
