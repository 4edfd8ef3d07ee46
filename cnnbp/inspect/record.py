"""One batch through the network and back, in float64, with every value and gradient kept."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.layers import Context, Layer, PiecewiseLayer
from cnnbp.layers.base import Gradients, Params
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
        """Whether a layer mixes the images, so that each one's loss depends on them all."""
        return self.model.network.couples_images


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
    params = model.params.astype(np.float64)
    return _recorded(model, _tape(model, model.network, params, x.astype(np.float64), dropout, seed), labels)


def image_gradients(record: Record, images: Sequence[int] | None = None) -> Iterator[Parameters]:
    """Yield ∂(ℓₘ/M)/∂θ of each image, by default of all in order: their sum is the batch's gradient.

    Where batch norm couples the images, ℓₘ depends on all of them, and each gradient takes a pass over the batch.
    """
    chosen = range(len(record.labels)) if images is None else images
    share = _through_the_batch if record.couples_images else _alone
    yield from (share(record, m) for m in chosen)


def _alone(record: Record, m: int) -> Parameters:
    """Return one image's share of ∂L/∂θ, from a pass of this image."""
    model, tape, image = record.model, record.tape, slice(m, m + 1)
    network = model.network
    for index, mask in dropout_masks(tape).items():
        network = network.with_layer(index, _held(network.nodes[index].layer, mask[..., image], mask[..., image]))
    x = np.ascontiguousarray(tape.values[INPUT][..., image])
    alone = _tape(model, network, tape.params, x, tape.training, seed=0)
    return _turned(model, alone, record.labels[image], len(record.labels)).gradient


def _through_the_batch(record: Record, m: int) -> Parameters:
    """Return one image's share of ∂L/∂θ, by way of the statistics that it has in common with the others, too."""
    tape, last = copy(record.tape), len(record.model.network.nodes) - 1
    dlogits = np.zeros_like(record.logits)
    dlogits[:, m] = record.tape.gradients[last][:, m]
    tape.gradients = [None] * len(tape.gradients)
    tape.gradients[last] = dlogits
    gradient = tape.params.layout.zeros(np.float64)
    tape.backward(gradient)
    return gradient


def gradient_at(record: Record, theta: Array) -> Array:
    """Return ∂L/∂θ (N,) of the same batch at other parameters (N,), on the pieces that the recorded pass was on.

    So it is differentiable: no unit of a ReLU flips, no window has another maximum. `theta` may be complex.
    """
    model, tape = record.model, record.tape
    network = model.network
    for node in network.nodes:
        cache = tape.caches[node.index]
        if isinstance(node.layer, PiecewiseLayer) and not _has_reals(cache):
            pieces = node.layer.branches(tape.params.of(node.name), cache, tape.context(node))
            network = network.with_layer(node.index, _held(node.layer, pieces, cache))
    params = Parameters(model.params.layout, theta)
    moved = _tape(model, network, params, tape.values[INPUT], tape.training, tape.stream[0])
    return _recorded(model, moved, record.labels).gradient.vector


class _Held(PiecewiseLayer):
    """A piecewise layer on given pieces; `cache`, which tells backward of them, holds nothing else."""

    layer: Any
    pieces: Any
    cache: Any

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Any]:
        return self.layer.forward_on(params, x, self.pieces, ctx), self.cache

    def backward(self, params: Params, cache: Any, dy: Array, ctx: Context) -> tuple[Any, Gradients]:
        return self.layer.backward(params, cache, dy, ctx)

    def branches(self, params: Params, cache: Any, ctx: Context) -> Array:
        return self.layer.branches(params, cache, ctx)


def _held(layer: Layer, pieces: Array, cache: Any) -> _Held:
    return _Held(name=layer.name, layer=layer, pieces=pieces, cache=cache)


def _has_reals(cache: Any) -> bool:
    """Whether a cache holds numbers that follow from x, besides the pieces that they lie on."""
    if isinstance(cache, tuple):
        return any(map(_has_reals, cache))
    return isinstance(cache, np.ndarray) and cache.dtype.kind in "fc"


def _tape(model: Model, network: Network, params: Parameters, x: Array, dropout: bool, seed: int) -> Tape:
    """Return a tape that keeps everything, in the dtype of the parameters."""
    return Tape(network, params, model.state, x, Arena(), training=dropout, keep_everything=True, stream=(seed, 0, 0))


def _recorded(model: Model, tape: Tape, labels: Array) -> Record:
    """Run a tape with the batch's own statistics to the loss and back."""
    for node in tape.network.nodes:
        if node.is_coupled:
            for context in tape.contexts(node):
                context.training = True
    return _turned(model, tape, labels, len(labels))


def _turned(model: Model, tape: Tape, labels: Array, batch_size: int) -> Record:
    """Run a tape to the loss and back."""
    losses, cache = model.loss.forward(tape.forward(), labels)
    tape.gradients[len(model.network.nodes) - 1] = model.loss.backward(cache, batch_size)
    gradient = tape.params.layout.zeros(tape.params.vector.dtype)
    tape.backward(gradient)
    return Record(model, labels, tape, losses, gradient)
