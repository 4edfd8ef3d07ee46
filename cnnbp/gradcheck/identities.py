"""What must hold for a gradient without any difference: sums that are known beforehand."""

from collections.abc import Iterator

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers import Layer
from cnnbp.layers.activations import ELU, LeakyReLU, ReLU
from cnnbp.layers.base import Params
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from cnnbp.layers.windows import padded, places
from cnnbp.losses import CrossEntropy, Loss

TOLERANCE = 1e-12  # of the sum of the absolute values that were added, or subtracted from each other


def broken_layer_identities(layer: Layer, params: Params, x: Array, upstream: Array, dx: Array) -> Iterator[str]:
    """Yield what does not hold between ∂L/∂x (C, …, M) and ∂L/∂y of a layer that reads x."""
    if _keeps_sums(layer) and not _equal(_per_map(dx), _per_map(upstream), _per_map(np.abs(upstream))):
        yield "a pool only moves gradient around: Σ dx must be Σ dy in each channel of each image"
    if isinstance(layer, BatchNorm):
        sums = dx.reshape(len(dx), -1).sum(axis=1)
        if not _equal(sums, 0, _subtracted_by_batch_norm(layer, params, x, upstream)):
            yield "adding a constant to a channel changes nothing behind batch norm: Σ dx must be 0 per channel"


def broken_loss_identities(loss: Loss, dlogits: Array) -> Iterator[str]:
    """Yield what does not hold for ∂L/∂logits (K, M)."""
    M, weights = dlogits.shape[-1], loss.class_weights or (1.0,)
    largest = max(float(weight) for weight in weights) / M  # p and its target are up to 1, and all but cancel if sure
    if isinstance(loss, CrossEntropy) and not _equal(dlogits.sum(axis=0), 0, largest):
        yield "adding a constant to all logits of an image changes no softmax: Σ ∂L/∂logits must be 0 per image"


def broken_conventions(layer: Layer, x: Array, branches: Array) -> Iterator[str]:
    """Yield where a layer is not on the branch that is agreed upon for ties."""
    if isinstance(layer, ReLU | LeakyReLU | ELU) and not np.array_equal(branches, x > 0):
        yield "at 0 the left side counts: the branches must be x > 0"
    if isinstance(layer, MaxPool2d):
        window = layer.window(x.shape[:-1])
        views = places(padded(x, window, fill=-np.inf), window, branches.shape[1:3])
        if not np.array_equal(branches, np.argmax([view for _, _, view in views], axis=0)):
            yield "of tied maxima the first in row-major order counts"


def _subtracted_by_batch_norm(layer: BatchNorm, params: Params, x: Array, upstream: Array) -> Array:
    """Return how large the numbers are that make up dx = γ/σ·(dy − mean dy − x̂·mean dy·x̂), with x̂'s own error."""
    x, dy = x.reshape(len(x), -1), upstream.reshape(len(x), -1)
    mean, sigma = x.mean(axis=1), np.sqrt(x.var(axis=1) + layer.eps)
    largest = 1 + np.abs(x - mean[:, None]).max(axis=1) / sigma + np.abs(mean) / sigma
    size: Array = np.abs(params["gamma"]) / sigma * largest * np.abs(dy).sum(axis=1)
    return size


def _keeps_sums(layer: Layer) -> bool:
    if isinstance(layer, AvgPool2d):  # padding that is counted in takes its share
        return not layer.count_include_pad or layer.pad in ("valid", (0, 0))
    return isinstance(layer, MaxPool2d | GlobalAvgPool2d)


def _per_map(array: Array) -> Array:
    return array.sum(axis=(1, 2))


def _equal(left: Array, right: Array | float, size: Array) -> bool:
    return bool((np.abs(left - right) <= TOLERANCE * size).all())
