"""A network and its loss in PyTorch, taken forward and, by autograd, backward."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnbp.arrays import Array
from cnnbp.layers import Dropout
from cnnbp.losses import Loss
from cnnbp.network import INPUT
from cnnbp.tape import Tape
from tests.parity import torch_layers


def to_torch(array: Array) -> Tensor:
    """Copy (…, M) to (M, …)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 0)))


def to_numpy(tensor: Tensor) -> Array:
    """Turn (M, …) into (…, M)."""
    return np.moveaxis(tensor.detach().numpy(), 0, -1)


class TorchNetwork:
    """What a tape has done, done again: it gives the parameters, the images and what dropout has dropped."""

    def __init__(self, tape: Tape, loss: Loss, labels: Array) -> None:
        dtype = tape.params.vector.dtype
        self.params = {
            layer: {name: torch.tensor(array, requires_grad=True) for name, array in tensors.items()}
            for layer, tensors in tape.params.tensors.items()
        }
        self.state = {
            layer: {name: torch.from_numpy(array.astype(dtype)) for name, array in tensors.items()}
            for layer, tensors in tape.state.items()
        }
        self.x = to_torch(tape.values[INPUT]).requires_grad_()
        self.logits = self._forward(tape)
        _mean_loss(loss, self.logits, torch.from_numpy(labels)).backward()

    def gradients(self) -> dict[str, Array]:
        """Return ∂L/∂θ by "layer.name" and ∂L/∂X, (C, H, W, M), by "X"."""
        assert self.x.grad is not None
        gradients = {"X": to_numpy(self.x.grad)}
        for layer, tensors in self.params.items():
            for name, tensor in tensors.items():
                assert tensor.grad is not None
                gradients[f"{layer}.{name}"] = tensor.grad.numpy()
        return gradients

    def _forward(self, tape: Tape) -> Tensor:
        values = {INPUT: self.x}
        for node in tape.network.nodes:
            y = getattr(torch_layers, node.layer.type)(
                node.layer,
                self.params.get(node.name, {}),
                *(values[i] for i in node.inputs),
                training=tape.training,
                state=self.state.get(node.name),
                mask=_kept(tape, node.index),
            )
            values[node.index] = y
        return y


def _kept(tape: Tape, index: int) -> Tensor | None:
    """Return which numbers a dropout node has kept, None for other nodes."""
    node = tape.network.nodes[index]
    if not isinstance(node.layer, Dropout) or not tape.training:
        return None
    return to_torch(node.layer.branches({}, tape.caches[index], tape.context(node)))


def _mean_loss(loss: Any, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over the images of each one's weighted loss."""
    match loss.type:
        case "cross_entropy":
            losses = F.cross_entropy(logits, labels, label_smoothing=loss.label_smoothing, reduction="none")
        case "binary_cross_entropy":
            targets = labels.to(logits.dtype) * (1 - loss.label_smoothing) + loss.label_smoothing / 2
            losses = F.binary_cross_entropy_with_logits(logits[:, 0], targets, reduction="none")
        case "mean_squared_error":
            targets = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
            losses = F.mse_loss(logits, targets, reduction="none").mean(dim=1)
    weights = torch.tensor(loss.class_weights or [1.0] * (int(labels.max()) + 1), dtype=logits.dtype)
    return (losses * weights[labels]).mean()
