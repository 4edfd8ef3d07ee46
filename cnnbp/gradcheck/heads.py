"""How a computation ends: in parts whose sum is the scalar that is differentiated.

`parts` are those (P, columns) of an output (…, columns), whose column j is the base point's image `columns[j]`: two
evaluations are subtracted part by part and only then summed, as less cancels. `magnitude` is how large the numbers were
whose rounding a difference (P, entries, m) carries: (entries,). `gradient` is the analytic one by the output y, with
each number that goes into it disturbed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnbp.arrays import Array
from cnnbp.losses import Loss


@dataclass(frozen=True)
class LossHead:
    """The mean loss over the batch: one part per image, L/M."""

    loss: Loss
    labels: Array
    logits: Array

    is_linear = False

    def parts(self, y: Array, columns: Array) -> Array:
        losses, _ = self.loss.forward(y, self.labels[columns])
        return losses[None] / len(self.labels)

    @cached_property
    def _magnitude(self) -> float:
        losses, _ = self.loss.forward(self.logits, self.labels)
        return max(float(np.abs(losses).max()), float(np.abs(self.logits).max()), 1.0)

    def magnitude(self, difference: Array) -> Array:
        return np.full(difference.shape[1], self._magnitude)

    def gradient(self, y: Array, disturb: Callable[[Array], Array]) -> Array:
        _, cache = self.loss.forward(disturb(y), self.labels)
        largest = max(self.loss.class_weights or (1.0,), key=float)
        targets = self.loss.targets(self.labels, len(y), y.dtype) * (float(largest) / len(self.labels))
        lost = disturb(targets) - targets  # p − y: where p is nearly y, rounding is a share of them, not of p − y
        return self.loss.backward(cache, len(self.labels)) + lost


@dataclass(frozen=True)
class InnerProductHead:
    """⟨g, y⟩ for an upstream gradient g: one part per number of y."""

    upstream: Array
    y: Array

    is_linear = True

    def parts(self, y: Array, columns: Array) -> Array:
        return (y * np.take(self.upstream, columns, axis=-1)).reshape(-1, len(columns))

    def magnitude(self, difference: Array) -> Array:
        touched = np.count_nonzero(difference, axis=(0, 2))
        return np.maximum(touched, 1) * max(float(np.abs(self.y).max()), 1.0) * float(np.abs(self.upstream).max())

    def gradient(self, y: Array, disturb: Callable[[Array], Array]) -> Array:
        return self.upstream


Head = LossHead | InnerProductHead
