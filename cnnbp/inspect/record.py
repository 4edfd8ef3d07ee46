"""One batch through the network and back, in float64, with every value and gradient kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.layers import Context
from cnnbp.layers.dropout import Dropout
from cnnbp.losses import Loss
from cnnbp.network import INPUT, Network, Node
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


class _ObservedTape(Tape):
    """Keeps everything; batch norm uses the batch's statistics, dropout is on only in training."""

    def __init__(self, model: Model, x: Array, *, training: bool, seed: int) -> None:
        params = model.params.astype(np.float64)
        super().__init__(
            model.network,
            params,
            model.state,
            x.astype(np.float64),
            Arena(),
            training=training,
            keep_everything=True,
            stream=(seed, 0, 0),
        )

    def context(self, node: Node, *, backward: bool = False) -> Context:
        context = super().context(node, backward=backward)
        context.training = self.training or node.is_coupled
        return context


class _ImageTape(_ObservedTape):
    """One image of a batch, with the numbers dropped that the batch dropped in it."""

    def __init__(self, model: Model, batch: Tape, m: int) -> None:
        x = np.ascontiguousarray(batch.values[INPUT][..., m : m + 1])
        super().__init__(model, x, training=batch.training, seed=0)
        self._masks = {index: mask[..., m : m + 1] for index, mask in dropout_masks(batch).items()}

    def forward(self, nodes: Sequence[Node]) -> Array:
        for node in nodes:
            mask = self._masks.get(node.index)
            if mask is None or not isinstance(node.layer, Dropout):
                super().forward([node])
                continue
            self.values[node.index] = node.layer.forward_on({}, self.input(node), mask, self.context(node))
            self.caches[node.index] = mask
        return self.values[nodes[-1].index]


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
    return _turn(model, _ObservedTape(model, x, training=dropout, seed=seed), labels, len(labels))


def image_gradients(record: Record) -> Iterator[Parameters]:
    """Yield each image's share of ∂L/∂θ, its 1/M included: their sum is the batch's gradient."""
    assert not record.couples_images
    for m in range(len(record.labels)):
        tape = _ImageTape(record.model, record.tape, m)
        yield _turn(record.model, tape, record.labels[m : m + 1], len(record.labels)).gradient


def _turn(model: Model, tape: Tape, labels: Array, batch_size: int) -> Record:
    """Run a tape to the loss and back."""
    nodes = model.network.nodes
    losses, cache = model.loss.forward(tape.forward(nodes), labels)
    tape.gradients[nodes[-1].index] = model.loss.backward(cache, batch_size)
    gradient = tape.params.layout.zeros(np.float64)
    tape.backward(nodes, gradient)
    return Record(model, labels, tape, losses, gradient)
