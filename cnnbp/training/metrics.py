"""What an epoch is remembered by, and which epoch was the best: pure functions of the history."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnbp.config import EarlyStopping


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch in numbers that equal training repeats exactly. `epoch` counts from 1.

    The training loss and accuracy are means over the epoch's steps, while the parameters moved; `grad_norm` is the
    mean of ‖∂L/∂θ‖ before clipping; `lr` and `update_ratio` ‖Δθ‖/‖θ‖ are the last step's.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    lr: float
    grad_norm: float
    update_ratio: float

    @property
    def monitored_loss(self) -> float:
        """What decides on the best epoch: the validation loss, without validation the training loss."""
        return self.train_loss if self.val_loss is None else self.val_loss


def monitored_losses(history: Sequence[EpochMetrics]) -> list[float]:
    """Return the monitored loss of each epoch."""
    return [metrics.monitored_loss for metrics in history]


def best_epoch(history: Sequence[EpochMetrics]) -> EpochMetrics | None:
    """Return the first epoch with the lowest monitored loss."""
    return min(history, key=lambda metrics: metrics.monitored_loss, default=None)


def should_stop(history: Sequence[EpochMetrics], rule: EarlyStopping | None) -> bool:
    """Tell whether `patience` epochs have passed without a loss below the best by more than `min_delta`.

    The terms are those of Keras' EarlyStopping.
    """
    if rule is None:
        return False
    best, waiting = np.inf, 0
    for metrics in history:
        better = metrics.monitored_loss < best - rule.min_delta
        best, waiting = (metrics.monitored_loss, 0) if better else (best, waiting + 1)
    return waiting > 0 and waiting >= rule.patience
