"""A network and its loss in PyTorch, where autograd takes it backward."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnbp.arrays import Array
from cnnbp.bench import torch_layers
from cnnbp.network import INPUT, Network
from cnnbp.parameters import Parameters, Tensors

NOTHING: Mapping[int, Tensor] = MappingProxyType({})


def to_torch(array: Array) -> Tensor:
    """Copy (…, M) to (M, …)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 0)))


def to_numpy(tensor: Tensor) -> Array:
    """Turn (M, …) into (…, M)."""
    return np.moveaxis(tensor.detach().numpy(), 0, -1)


class TorchNetwork:
    """The same nodes over copies of the same parameters and running statistics."""

    def __init__(
        self, network: Network, params: Parameters, state: Tensors, memory_format: Any = torch.contiguous_format
    ) -> None:
        """`memory_format` is how weights of four axes lie in memory."""
        dtype = params.vector.dtype
        self.params = {
            layer: {name: _parameter(array, memory_format) for name, array in tensors.items()}
            for layer, tensors in params.tensors.items()
        }
        self.state = {
            layer: {name: torch.from_numpy(array.astype(dtype)) for name, array in tensors.items()}
            for layer, tensors in state.items()
        }
        self._layers = [
            (
                node,
                partial(
                    getattr(torch_layers, node.layer.type),
                    node.layer,
                    node.layer.window(node.input_shapes[0]),
                    self.params.get(node.name, {}),
                    state=self.state.get(node.name),
                ),
            )
            for node in network.nodes
        ]

    def forward(self, x: Tensor, *, training: bool = True, kept: Mapping[int, Tensor] = NOTHING) -> Tensor:
        """Return the logits (M, K) of x (M, C, H, W); `kept` says by node what dropout does not drop."""
        values = {INPUT: x}
        for node, layer in self._layers:
            inputs = (values[i] for i in node.inputs)
            values[node.index] = layer(*inputs, training=training, kept=kept.get(node.index))
        return values[node.index]


def mean_loss(loss: Any, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over the images of each one's weighted loss."""
    reduction = "none" if loss.class_weights else "mean"
    match loss.type:
        case "cross_entropy":
            losses = F.cross_entropy(logits, labels, label_smoothing=loss.label_smoothing, reduction=reduction)
        case "binary_cross_entropy":
            targets = labels.to(logits.dtype)
            if loss.label_smoothing:
                targets = targets * (1 - loss.label_smoothing) + loss.label_smoothing / 2
            losses = F.binary_cross_entropy_with_logits(logits[:, 0], targets, reduction=reduction)
        case "mean_squared_error":
            targets = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
            losses = F.mse_loss(logits, targets, reduction=reduction)
        case unknown:
            raise NotImplementedError(f"{unknown} in PyTorch")
    if not loss.class_weights:
        return losses
    weights = torch.tensor(loss.class_weights, dtype=logits.dtype)
    return (losses.reshape(len(labels), -1).mean(dim=1) * weights[labels]).mean()


def _parameter(array: Array, memory_format: Any) -> Tensor:
    tensor = torch.tensor(array)
    return (tensor.to(memory_format=memory_format) if tensor.dim() == 4 else tensor).requires_grad_()
