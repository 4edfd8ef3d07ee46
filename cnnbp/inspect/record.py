"""One batch through the network and back, in float64, with every value and gradient kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.layers import Context
from cnnbp.layers.base import Params
from cnnbp.layers.dropout import Dropout
from cnnbp.losses import Loss
from cnnbp.network import INPUT, Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Tape


@dataclass(frozen=True)
class Model:
    """A network with all that decides what it makes of a batch."""

    network: Network
    loss: Loss
    params: Parameters
    state: Tensors


@dataclass(frozen=True, eq=False)
class Record:
    """What a batch of M images left behind: the tape, each image's loss (M,) and ∂L/∂θ of their mean."""

    model: Model
    labels: Array
    tape: Tape
    losses: Array
    gradient: Parameters

    @property
    def logits(self) -> Array:
        """The network's output (K, M)."""
        return self.tape.values[len(self.model.network.nodes) - 1]

    @property
    def loss(self) -> float:
        """The mean over the batch."""
        return float(self.losses.mean())

    @property
    def couples_images(self) -> bool:
        """Whether a layer mixes the images, so that no gradient belongs to one image alone."""
        return any(node.is_coupled for node in self.model.network.nodes)


def dropout_masks(tape: Tape) -> dict[int, Array]:
    """Return what each dropout node kept, by index; nothing where dropout is off."""
    return {
        node.index: node.layer.branches({}, tape.caches[node.index], tape.context(node))
        for node in tape.network.nodes
        if isinstance(node.layer, Dropout) and tape.training
    }


def record_batch(model: Model, x: Array, labels: Array, *, dropout: bool = False, seed: int = 0) -> Record:
    """Run images x (C, H, W, M) of the classes `labels` (M,) forward and backward.

    Batch norm uses the batch's own statistics and moves no running ones: the gradients are those of a training step.
    """
    tape = _tape(model, model.network, x.astype(np.float64), dropout, seed)
    for node in model.network.nodes:
        if node.is_coupled:
            for context in tape.contexts(node):
                context.training = True
    return _turned(model, tape, labels, len(labels))


def image_gradients(record: Record) -> Iterator[Parameters]:
    """Yield each image's share of ∂L/∂θ, its 1/M included: their sum is the batch's gradient."""
    assert not record.couples_images
    model, tape, masks = record.model, record.tape, dropout_masks(record.tape)
    for m in range(len(record.labels)):
        network, image = model.network, slice(m, m + 1)
        for index, mask in masks.items():
            network = network.with_layer(index, _DropsAgain(**dict(network.nodes[index].layer), mask=mask[..., image]))
        x = np.ascontiguousarray(tape.values[INPUT][..., image])
        alone = _tape(model, network, x, tape.training, seed=0)
        yield _turned(model, alone, record.labels[image], len(record.labels)).gradient


class _DropsAgain(Dropout):
    """Drops the numbers that were dropped before."""

    mask: Any

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        return self.forward_on(params, x, self.mask, ctx), self.mask


def _tape(model: Model, network: Network, x: Array, dropout: bool, seed: int) -> Tape:
    """Return a tape in float64 that keeps everything."""
    params, stream = model.params.astype(np.float64), (seed, 0, 0)
    return Tape(network, params, model.state, x, Arena(), training=dropout, keep_everything=True, stream=stream)


def _turned(model: Model, tape: Tape, labels: Array, batch_size: int) -> Record:
    """Run a tape to the loss and back."""
    losses, cache = model.loss.forward(tape.forward(), labels)
    tape.gradients[len(model.network.nodes) - 1] = model.loss.backward(cache, batch_size)
    gradient = tape.params.layout.zeros(np.float64)
    tape.backward(gradient)
    return Record(model, labels, tape, losses, gradient)
