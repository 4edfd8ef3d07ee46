"""The loss: ∂L/∂logits is what the outputs are minus what they should be, over M."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.diagnosis.pattern import Pattern
from cnnbp.gradcheck.diagnosis.trial import LossTrial, Wrong
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError

LossExperiment = Callable[[LossTrial, Wrong], str | None]


def _outputs(trial: LossTrial) -> Array:
    """Return what is compared with the targets, (K, M): probabilities, or the outputs themselves."""
    if isinstance(trial.loss, MeanSquaredError):
        return trial.logits
    p = trial.loss.probabilities(trial.logits)
    return p[1:] if isinstance(trial.loss, BinaryCrossEntropy) else p


def _fits(pattern: Pattern, loss: Loss, difference: Array, labels: Array) -> bool:
    """Whether backward gives these differences, up to one positive factor and the labels' weights."""
    if isinstance(loss.class_weights, tuple):
        difference = difference * np.array(loss.class_weights)[labels]
    where = int(np.abs(difference).argmax())
    factor = pattern.analytic.flat[where] / difference.flat[where]
    size = np.abs(pattern.analytic).max()
    return bool(factor > 0 and np.allclose(pattern.analytic, factor * difference, rtol=0, atol=1e-9 * size))


def takes_another_label(trial: LossTrial, wrong: Wrong) -> str | None:
    """A gradient that would be right for other labels."""
    [pattern] = wrong.values()
    outputs, loss = _outputs(trial), trial.loss
    for labels, said in _other_labels(trial):
        targets = loss.targets(labels, len(trial.logits), outputs.dtype)
        if _fits(pattern, loss, outputs - targets, labels):
            return f"the gradient of another label: {said}"
    return None


def _other_labels(trial: LossTrial) -> Iterator[tuple[Array, str]]:
    yield np.zeros_like(trial.labels), "every image is taken for class 0"
    yield trial.loss.predictions(trial.logits), "the predicted class stands for the true one"
    classes = len(trial.loss.probabilities(trial.logits))
    yield (trial.labels + 1) % classes, "the labels are off by one"
    yield np.roll(trial.labels, 1), "each image has its neighbour's"


def takes_the_hard_label(trial: LossTrial, wrong: Wrong) -> str | None:
    """A gradient without label smoothing."""
    smoothing = dict(trial.loss).get("label_smoothing", 0)
    if not smoothing:
        return None
    hard = trial.loss.model_copy(update={"label_smoothing": 0.0})
    difference = _outputs(trial) - hard.targets(trial.labels, len(trial.logits), trial.logits.dtype)
    [pattern] = wrong.values()
    return "label smoothing is missing" if _fits(pattern, trial.loss, difference, trial.labels) else None


def forgets_the_weights(trial: LossTrial, wrong: Wrong) -> str | None:
    """A gradient without class weights."""
    if not isinstance(trial.loss.class_weights, tuple):
        return None
    [pattern] = wrong.values()
    weights = np.array(trial.loss.class_weights)[trial.labels]
    return "the class weights are missing" if pattern.explained_by(pattern.analytic * weights) else None


def multiplies_the_slope_again(trial: LossTrial, wrong: Wrong) -> str | None:
    """A gradient with σ′ in it."""
    if not isinstance(trial.loss, BinaryCrossEntropy):
        return None
    [pattern] = wrong.values()
    p = trial.loss.probabilities(trial.logits)[1:]
    again = np.allclose(pattern.analytic, pattern.numeric * p * (1 - p), rtol=1e-7, atol=1e-9)
    return "σ′ = y(1 − y) is multiplied in once more: it has cancelled in (y − t)/M" if again else None


def forgets_that_softmax_couples(trial: LossTrial, wrong: Wrong) -> str | None:
    """A gradient through each logit's own probability alone."""
    if not isinstance(trial.loss, CrossEntropy):
        return None
    [pattern] = wrong.values()
    p, M = trial.loss.probabilities(trial.logits), len(trial.labels)
    alone = -trial.loss.targets(trial.labels, len(p), p.dtype) * (1 - p) / M
    if not np.allclose(pattern.analytic, alone, rtol=1e-9, atol=1e-12):
        return None
    return "softmax is differentiated logit by logit: each logit moves all probabilities"


LOSS_EXPERIMENTS: Sequence[LossExperiment] = (
    takes_another_label,
    takes_the_hard_label,
    forgets_the_weights,
    multiplies_the_slope_again,
    forgets_that_softmax_couples,
)
