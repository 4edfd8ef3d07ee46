"""Mistakes in ∂L/∂logits."""

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs.mistakes import LossBug, LossPass
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError

ALL: tuple[type[Loss], ...] = (BinaryCrossEntropy, CrossEntropy, MeanSquaredError)


def _diagonal(step: LossPass) -> Array:
    """Softmax differentiated as if each output depended on its own logit alone."""
    p = step.loss.probabilities(step.logits)
    targets = step.loss.targets(step.labels, len(step.logits), p.dtype)
    return -targets * (1 - p) / step.batch_size


def _sigma_again(step: LossPass) -> Array:
    p = step.loss.probabilities(step.logits)[1]
    return step.right() * p * (1 - p)


LOSS_BUGS = (
    LossBug("no-1/M", "the sum over the batch instead of the mean", ALL, lambda s: s.right() * s.batch_size),
    LossBug(
        "extra-1/K",
        "divided by the number of outputs, too",
        ALL,
        lambda s: s.right() / len(s.logits),
        lambda loss, outputs: outputs > 1,
    ),
    LossBug("sign", "label − prediction", ALL, lambda s: -s.right()),
    LossBug("label-0", "every image is taken for class 0", ALL, lambda s: s.with_labels(np.zeros_like(s.labels))),
    LossBug(
        "argmax-label",
        "the predicted class is taken for the label",
        ALL,
        lambda s: s.with_labels(s.loss.predictions(s.logits)),
    ),
    LossBug("diagonal-jacobian", "softmax differentiated element by element", (CrossEntropy,), _diagonal),
    LossBug("sigma-again", "σ′ multiplied in, though it has cancelled", (BinaryCrossEntropy,), _sigma_again),
    LossBug(
        "weights-forgotten",
        "the class weights are in the loss and not in its gradient",
        ALL,
        lambda s: s.with_loss(class_weights=None),
        lambda loss, outputs: isinstance(loss.class_weights, tuple) and set(loss.class_weights) != {1.0},
    ),
    LossBug(
        "smoothing-forgotten",
        "the gradient takes the hard label for the smoothed one",
        (BinaryCrossEntropy, CrossEntropy),
        lambda s: s.with_loss(label_smoothing=0.0),
        lambda loss, outputs: dict(loss)["label_smoothing"] > 0,
    ),
    LossBug("no-factor-2", "the 2 of the square is missing", (MeanSquaredError,), lambda s: s.right() / 2),
)
