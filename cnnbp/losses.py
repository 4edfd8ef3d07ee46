"""Losses over a batch of M images. They take logits, which is stable, and are where the 1/M of the mean enters.

`forward` gives each image's loss, `backward` the gradient of their mean over the whole batch: the 1/M is in
∂L/∂logits and nowhere else. Logits are (K, m) for the m images of a micro-batch; labels are class indices (m,).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from cnnbp.arrays import Array
from cnnbp.layers.activations import sigmoid
from cnnbp.spelling import OneOf, coerced

if TYPE_CHECKING:
    from cnnbp.spelling import Coerced

if TYPE_CHECKING:
    ClassWeights = Coerced[tuple[float, ...] | Literal["balanced"] | None, Sequence[float] | Literal["balanced"] | None]
else:
    ClassWeights = tuple[PositiveFloat, ...] | Literal["balanced"] | None

_NOTHING = 1e-6  # what an output of 0 counts when outputs are read as probabilities


class Loss(BaseModel):
    """Base of the losses. `class_weights` scale each image's loss by its class; the divisor stays M."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    type: ClassVar[str]

    class_weights: ClassWeights = Field(
        default=coerced(None),
        description="One weight per class in the order of their names, or balanced: N/(classes·count).",
    )

    def outputs(self, classes: int) -> int:
        """Return how many outputs the last layer must have."""
        return classes

    def balanced(self, counts: Sequence[int]) -> Self:
        """Return the loss with `balanced` weights worked out from the images per class of the training split."""
        if self.class_weights != "balanced":
            return self
        present = [max(count, 1) for count in counts]
        weights = tuple(sum(counts) / (len(counts) * count) for count in present)
        return self.model_copy(update={"class_weights": weights})

    def forward(self, logits: Array, labels: Array) -> tuple[Array, Any]:
        """Return each image's loss (m,) and the cache that backward needs."""
        outputs, targets = self._outputs(logits), self.targets(labels, logits.shape[0], logits.real.dtype)
        losses = self._losses(outputs, targets)
        weights = self._weights(labels, logits.real.dtype)
        return (losses if weights is None else losses * weights), (outputs, targets, weights)

    def backward(self, cache: Any, batch_size: int) -> Array:
        """Return ∂L/∂logits (K, m) of the mean over `batch_size` images."""
        outputs, targets, weights = cache
        dlogits = self._slopes(outputs, targets)
        if weights is not None:
            dlogits *= weights
        dlogits /= batch_size
        return dlogits

    def targets(self, labels: Array, outputs: int, dtype: Any) -> Array:
        """Return what the outputs should be, (K, m)."""
        targets = np.zeros((outputs, len(labels)), dtype)
        targets[labels, np.arange(len(labels))] = 1
        return targets

    def probabilities(self, logits: Array) -> Array:
        """Return the probability of each class, (classes, m)."""
        raise NotImplementedError

    def predictions(self, logits: Array) -> Array:
        """Return the index of the most probable class, (m,)."""
        return np.argmax(logits, axis=0)

    def _weights(self, labels: Array, dtype: Any) -> Array | None:
        if self.class_weights is None:
            return None
        if self.class_weights == "balanced":
            raise ValueError("balanced class weights need the class counts first: call balanced(counts)")
        return np.asarray(self.class_weights, dtype)[labels]

    def _outputs(self, logits: Array) -> Array:
        """Return the form of the logits that both the losses and the slopes begin with, (K, m)."""
        return logits

    def _losses(self, outputs: Array, targets: Array) -> Array:
        """Return each image's loss (m,)."""
        raise NotImplementedError

    def _slopes(self, outputs: Array, targets: Array) -> Array:
        """Return their derivative by the logits, (K, m)."""
        raise NotImplementedError


class _Smoothed(Loss):
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Share of each target that is spread evenly over all classes."
    )

    def _smoothed(self, targets: Array, classes: int) -> Array:
        share = self.label_smoothing
        return targets * (1 - share) + share / classes if share else targets


class BinaryCrossEntropy(_Smoothed):
    """−y log σ(z) − (1 − y) log(1 − σ(z)) of one logit per image, over two classes."""

    type = "binary_cross_entropy"

    def outputs(self, classes: int) -> int:
        return 1

    def targets(self, labels: Array, outputs: int, dtype: Any) -> Array:
        return self._smoothed(labels.astype(dtype)[None, :], 2)  # (1, m)

    def probabilities(self, logits: Array) -> Array:
        p = sigmoid(logits[0])
        return np.stack([1 - p, p])

    def predictions(self, logits: Array) -> Array:
        return (logits[0] > 0).astype(np.intp)

    def _losses(self, logits: Array, targets: Array) -> Array:
        z = logits[0]
        # max(z, 0) − z·y + log(1 + e^−|z|), which cannot overflow; complex numbers are ordered by their real parts
        return np.maximum(z, 0) - z * targets[0] + np.log1p(np.exp(np.minimum(z, -z)))

    def _slopes(self, logits: Array, targets: Array) -> Array:
        return sigmoid(logits) - targets  # σ′ has cancelled: (A − Y)/(A(1 − A)) · A(1 − A)


class CrossEntropy(_Smoothed):
    """−Σₖ yₖ log softmax(z)ₖ of one logit per class."""

    type = "cross_entropy"

    def targets(self, labels: Array, outputs: int, dtype: Any) -> Array:
        return self._smoothed(super().targets(labels, outputs, dtype), outputs)

    def probabilities(self, logits: Array) -> Array:
        return np.exp(_log_softmax(logits))

    def _outputs(self, logits: Array) -> Array:
        return _log_softmax(logits)

    def _losses(self, outputs: Array, targets: Array) -> Array:
        return -(targets * outputs).sum(axis=0)

    def _slopes(self, outputs: Array, targets: Array) -> Array:
        return np.exp(outputs) - targets  # (K, m); the targets of an image sum to 1


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.real.max(axis=0)
    return shifted - np.log(np.exp(shifted).sum(axis=0))


class MeanSquaredError(Loss):
    """1/K Σₖ (zₖ − yₖ)² against one-hot targets: over a batch the mean is over M·K."""

    type = "mean_squared_error"

    def probabilities(self, logits: Array) -> Array:
        """Return the outputs scaled to sum to 1, negative ones as next to nothing, all in the order of the outputs.

        This is a reading: the loss knows no probabilities.
        """
        least = np.minimum(logits.max(axis=0), _NOTHING)  # where all are far below 0, the largest is next to nothing
        positive = np.where(logits > _NOTHING, logits, _NOTHING * np.exp(np.minimum(logits - least, 0)))
        positive /= positive.max(axis=0)  # the sum of the largest numbers that there are would be none
        return positive / positive.sum(axis=0)

    def _losses(self, logits: Array, targets: Array) -> Array:
        return ((logits - targets) ** 2).mean(axis=0)

    def _slopes(self, logits: Array, targets: Array) -> Array:
        return 2 * (logits - targets) / logits.shape[0]


LOSSES: tuple[type[Loss], ...] = (BinaryCrossEntropy, CrossEntropy, MeanSquaredError)


def _spellings() -> dict[str, type[BaseModel]]:
    return {loss.type: loss for loss in LOSSES}


LossSpec = Annotated[Loss, OneOf("loss", _spellings)]
