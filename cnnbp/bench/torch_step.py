"""The same training step in PyTorch: in each memory format that it knows, on one thread and on all."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from cnnbp.arrays import Array
from cnnbp.bench.torch_network import TorchNetwork, mean_loss, to_torch
from cnnbp.losses import Loss
from cnnbp.network import Network
from cnnbp.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from cnnbp.parameters import Parameters, Tensors

NAME = f"PyTorch {torch.__version__}"

_MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class TorchStep:
    """Forward, loss, autograd, update."""

    def __init__(
        self, network: TorchNetwork, loss: Loss, optimizer: Any, x: torch.Tensor, labels: torch.Tensor, threads: int
    ) -> None:
        self.network, self.loss, self.optimizer = network, loss, optimizer
        self.x, self.labels, self.threads = x, labels, threads

    def __call__(self) -> None:
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)  # of the whole process
        self.optimizer.zero_grad()
        mean_loss(self.loss, self.network.forward(self.x), self.labels).backward()
        self.optimizer.step()


def torch_steps(
    network: Network,
    loss: Loss,
    optimizer: Optimizer,
    params: Parameters,
    state: Tensors,
    x: Array,
    labels: Array,
    threads: int,
) -> Mapping[str, Callable[[], None]]:
    """Return the step over a batch x (C, H, W, M), by what it is called."""
    steps = {}
    for name, memory_format in _MEMORY_FORMATS.items():
        twin = TorchNetwork(network, params, state, memory_format)
        images, classes = to_torch(x).to(memory_format=memory_format), torch.from_numpy(labels)
        in_torch = torch_optimizer(optimizer, _groups(twin, network, optimizer))
        for count in sorted({1, threads}):
            plural = "s" * (count != 1)
            steps[f"{name}, {count} thread{plural}"] = TorchStep(twin, loss, in_torch, images, classes, count)
    return steps


def torch_optimizer(optimizer: Optimizer, groups: Any) -> Any:
    """Return PyTorch's optimizer of the same formula, at a rate of 0."""
    match optimizer:
        case SGD():
            build = partial(torch.optim.SGD, momentum=optimizer.momentum, nesterov=optimizer.nesterov)
        case RMSprop():
            build = partial(torch.optim.RMSprop, alpha=optimizer.rho, eps=optimizer.eps)
        case Adam():
            kind = torch.optim.AdamW if isinstance(optimizer, AdamW) else torch.optim.Adam
            build = partial(kind, betas=(optimizer.beta1, optimizer.beta2), eps=optimizer.eps)
        case _:
            raise NotImplementedError(f"{optimizer.type} in PyTorch")
    return build(groups, lr=0.0)


def _groups(twin: TorchNetwork, network: Network, optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return the parameters with their weight decay: one group where nothing decays."""
    by_decay: dict[float, list[torch.Tensor]] = {}
    for node in network.nodes:
        for name, spec in node.parameter_specs.items():
            decay = optimizer.weight_decay if spec.decays else 0.0
            by_decay.setdefault(decay, []).append(twin.params[node.name][name])
    return [{"params": params, "weight_decay": decay} for decay, params in by_decay.items()]
