"""Where a network looks: the pixels that move the loss, and the places that speak for a class."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array
from cnnbp.inspect.record import Record
from cnnbp.layers.conv import Conv2d
from cnnbp.network import INPUT


@dataclass(frozen=True, eq=False)
class ClassActivation:
    """Grad-CAM: for each of the `classes` a map (h, w) of each image over the output of node `layer`.

    `maps` is (classes, h, w, M): ReLU(Σ_c α_c A_c), where α_c is the mean over the places of ∂y/∂A_c and y the class's
    logit (Selvaraju et al. 2017, arXiv:1610.02391). Of a single logit z, the first class's is −z.
    """

    layer: int
    classes: tuple[int, ...]
    maps: Array


def saliency(record: Record) -> Array:
    """Return |∂L/∂X|, of its channels the largest, (H, W, M) (Simonyan et al. 2014, arXiv:1312.6034)."""
    return np.abs(record.tape.gradients[INPUT]).max(axis=0)


def class_activation(record: Record, classes: Sequence[int]) -> ClassActivation | None:
    """Return the maps over the last convolution's activations; None for a network without convolutions."""
    layer = _last_maps(record)
    if layer is None:
        return None
    A = record.tape.values[layer]  # (C, h, w, M)
    maps = []
    for label in classes:
        weights = _slopes(record, layer, label).mean(axis=(1, 2), keepdims=True)
        maps.append(np.maximum((weights * A).sum(axis=0), 0))
    return ClassActivation(layer, tuple(classes), np.stack(maps))


def _last_maps(record: Record) -> int | None:
    """Return the last node whose output has the shape of the last convolution's: after its activation."""
    nodes = record.model.network.nodes
    convolutions = [node for node in nodes if isinstance(node.layer, Conv2d)]
    if not convolutions:
        return None
    last = convolutions[-1]
    return max(node.index for node in nodes[last.index :] if node.output_shape == last.output_shape)


def _slopes(record: Record, layer: int, label: int) -> Array:
    """Return ∂y/∂A (C, h, w, M), y the logit of a class: of each image its own, where they are coupled, too."""
    if not record.couples_images:
        return _slope_of_sum(record, layer, label, slice(None))
    images = range(len(record.labels))
    return np.concatenate([_slope_of_sum(record, layer, label, slice(m, m + 1)) for m in images], axis=-1)


def _slope_of_sum(record: Record, layer: int, label: int, images: slice) -> Array:
    """Run the recorded batch back from the summed logits of some images, to these images' activations."""
    nodes, tape = record.model.network.nodes, copy(record.tape)
    dz = np.zeros_like(record.logits)
    if len(dz) == 1:
        dz[0, images] = 1 if label else -1
    else:
        dz[label, images] = 1
    tape.gradients = [None] * len(tape.gradients)
    tape.gradients[len(nodes) - 1] = dz
    tape.backward(tape.params.layout.zeros(np.float64), tape.plan.operations[layer + 1 :])
    return tape.gradients[layer][..., images]
