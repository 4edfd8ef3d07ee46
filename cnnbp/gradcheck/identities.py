"""What must hold for a gradient without any difference: sums that are known beforehand."""

from collections.abc import Iterator

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers import Layer
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from cnnbp.losses import CrossEntropy, Loss

TOLERANCE = 1e-12  # of the sum of absolute values


def broken_layer_identities(layer: Layer, upstream: Array, dx: Array) -> Iterator[str]:
    """Yield what does not hold between ∂L/∂x (C, …, M) and ∂L/∂y of a layer."""
    if _keeps_sums(layer) and not _equal(_per_map(dx), _per_map(upstream), _per_map(np.abs(upstream))):
        yield "a pool only moves gradient around: Σ dx must be Σ dy in each channel of each image"
    if isinstance(layer, BatchNorm):
        channels = dx.reshape(len(dx), -1)
        if not _equal(channels.sum(axis=1), 0, np.abs(channels).sum(axis=1)):
            yield "adding a constant to a channel changes nothing behind batch norm: Σ dx must be 0 per channel"


def broken_loss_identities(loss: Loss, dlogits: Array) -> Iterator[str]:
    """Yield what does not hold for ∂L/∂logits (K, M)."""
    # p − y of a saturated image is the rounding of p: the other images say how large a p there would be
    if isinstance(loss, CrossEntropy) and not _equal(dlogits.sum(axis=0), 0, np.abs(dlogits).max()):
        yield "adding a constant to all logits of an image changes no softmax: Σ ∂L/∂logits must be 0 per image"


def _keeps_sums(layer: Layer) -> bool:
    if isinstance(layer, AvgPool2d):  # padding that is counted in takes its share
        return not layer.count_include_pad or layer.pad in ("valid", (0, 0))
    return isinstance(layer, MaxPool2d | GlobalAvgPool2d)


def _per_map(array: Array) -> Array:
    return array.sum(axis=(1, 2))


def _equal(left: Array, right: Array | float, size: Array) -> bool:
    return bool((np.abs(left - right) <= TOLERANCE * size).all())
