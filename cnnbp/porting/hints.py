"""What a wrong tensor looks like: the gradient check's diagnosis, for numbers that another program has computed.

Its code cannot be run, so what cannot be read from its numbers is tried the other way round: what do the mistakes of
the catalogue give for the same input, and are they these very numbers?
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs import LAYER_BUGS, LOSS_BUGS
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, Bug, LossPass
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
FEW = 2  # images that rule most mistakes out
LARGE, FEWEST, COARSEST = 0.1, 8, 0.05  # of noise: entries above a share of the largest; how many; the most that it is

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
    pattern = mismatch.pattern(sizes)
    return factors.cast_to_float32(pattern) or coarse_numbers(mismatch) or tensor_hint(pattern)


def coarse_numbers(mismatch: Mismatch) -> str | None:
    """Every number a little off, up and down alike: as if it had been rounded on the way to fewer digits."""
    large = np.abs(mismatch.right) > LARGE * np.abs(mismatch.right).max(initial=0)
    off = (mismatch.found[large] - mismatch.right[large]) / mismatch.right[large]
    if off.size < FEWEST or not 0 < np.abs(off).max() < COARSEST:
        return None
    size, up = float(np.median(np.abs(off))), float((off > 0).mean())
    if not 0.2 < up < 0.8 or abs(off.mean()) > 0.5 * size or np.quantile(np.abs(off), 0.1) < 0.01 * size:
        return None
    formats = "float32 rounds by up to 6e-8, float16 and TF32 by 5e-4, bfloat16 by 4e-3"
    return f"numbers are off by {size:.0e} of themselves, up and down: coarser ones on the way ({formats})"


def output_hint(step: LayerStep, mismatch: Mismatch) -> str | None:
    """Return what is wrong with what a layer gives."""
    told = next((said for said, y in forward_mistakes(step) if mismatch.is_explained_by(y)), None)
    return told or plain_hint(mismatch)


def loss_hint(loss: Loss, logits: Array, labels: Array, mismatch: Mismatch) -> str | None:
    """Return what is wrong with ∂L/∂logits."""
    pattern = mismatch.pattern({"M": len(labels), "K": len(logits)})
    _, cache = loss.forward(logits, labels)
    step = LossPass(loss, logits, labels, cache, len(labels))
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
        or coarse_numbers(mismatch)
        or _tried(step, gradient, pattern)
        or tensor_hint(pattern)
    )


def sure_gradient_hint(step: LayerStep, gradient: str, mismatch: Mismatch) -> str | None:
    """Return what is wrong with it, if it is one thing everywhere."""
    if told := _first_look(mismatch.pattern(_sizes(step))):
        return told
    return next((bug.story for bug in _bugs(step, gradient) if _explains(bug, step, gradient, mismatch)), None)


def convention(step: LayerStep, mismatch: Mismatch) -> str | None:
    """Return which other choice at kinks a dx has made, if that is all that it differs by."""
    choices = (bug for bug in _bugs(step, "dx") if bug.name in CONVENTIONS)
    return next((CONVENTIONS[bug.name] for bug in choices if _explains(bug, step, "dx", mismatch)), None)


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


def _bugs(step: LayerStep, gradient: str) -> Iterator[Bug]:
    """Yield the bugs of the catalogue that fit a layer and, as far as their names tell, spoil this gradient."""
    for bug in LAYER_BUGS:
        spoiled, dash, _ = bug.name.lower().partition("-")
        is_of_another = dash and spoiled in ("dx", "dw", "db", "dbeta") and not gradient.lower().startswith(spoiled)
        if not is_of_another and bug.fits(step.node):
            yield bug


def _explains(bug: Bug, step: LayerStep, gradient: str, mismatch: Mismatch) -> bool:
    """Whether a gradient is what a bug makes of it; where images are apart, two of them are asked first."""
    mixes_images = step.node.is_coupled or bug.mixes_images
    if gradient.startswith("dx") and not mixes_images and mismatch.found.shape[-1] > FEW:
        few = replace(mismatch, found=mismatch.found[..., :FEW], right=mismatch.right[..., :FEW])
        if not few.is_close(_broken(bug, step.first(FEW))[gradient]):
            return False
    return mismatch.is_explained_by(_broken(bug, step)[gradient])


def _broken(bug: Bug, step: LayerStep) -> dict[str, Array]:
    """Return the gradients that come of a bug."""
    own = replace(step, xs=tuple(x.copy() for x in step.xs))
    assert own.dy is not None
    y, cache = own.forward()
    return own.named(
        *bug.mistake(BackwardPass(own.node.layer, own.params, own.x, y, own.dy.copy(), cache, own.context, {}))
    )
