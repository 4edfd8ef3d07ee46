"""What a tape has done, done again in PyTorch, and by autograd backward."""

import numpy as np
import torch
from torch import Tensor

from cnnbp.arrays import Array
from cnnbp.bench.torch_network import TorchNetwork, mean_loss, to_numpy, to_torch
from cnnbp.layers import Dropout
from cnnbp.losses import Loss
from cnnbp.network import INPUT
from cnnbp.parameters import Parameters
from cnnbp.tape import Tape


class TorchTwin:
    """A tape's twin: the tape gives the parameters, the images and what dropout has dropped."""

    def __init__(self, tape: Tape, loss: Loss, labels: Array) -> None:
        self.network = TorchNetwork(tape.network, tape.params, tape.state)
        self.state = self.network.state
        self.x = to_torch(tape.values[INPUT]).requires_grad_()
        self.logits = self.network.forward(self.x, training=tape.training, kept=_kept(tape))
        self.loss = mean_loss(loss, self.logits, torch.from_numpy(labels))
        self.loss.backward(retain_graph=True)

    def gradients(self) -> dict[str, Array]:
        """Return ∂L/∂θ by "layer.name" and ∂L/∂X, (C, H, W, M), by "X"."""
        assert self.x.grad is not None
        gradients = {"X": to_numpy(self.x.grad)}
        for layer, tensors in self.network.params.items():
            for name, tensor in tensors.items():
                assert tensor.grad is not None
                gradients[f"{layer}.{name}"] = tensor.grad.numpy()
        return gradients

    def curvature_product(self, v: Parameters) -> Array:
        """Return H·v (N,), H the second derivatives of the loss by the parameters."""
        params = [tensor for tensors in self.network.params.values() for tensor in tensors.values()]
        if not params:
            return v.vector
        slopes = torch.autograd.grad(self.loss, params, create_graph=True)
        along = sum(
            (slope * torch.from_numpy(array)).sum() for slope, (_, array) in zip(slopes, v.named(), strict=True)
        )
        products = torch.autograd.grad(along, params, materialize_grads=True)
        return np.concatenate([product.numpy().ravel() for product in products])


def _kept(tape: Tape) -> dict[int, Tensor]:
    """Return which numbers each dropout node has kept."""
    return {
        node.index: to_torch(node.layer.branches({}, tape.caches[node.index], tape.context(node)))
        for node in tape.network.nodes
        if isinstance(node.layer, Dropout) and tape.training
    }
