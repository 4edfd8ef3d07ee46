"""How far the gradients that `cnnbp grads --save` wrote are from PyTorch's, which gets nothing but the file."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from cnnbp.arrays import Array
from cnnbp.bench.torch_network import TorchNetwork, mean_loss, to_numpy, to_torch
from cnnbp.config import Config, load_config
from cnnbp.layers import Dropout
from tests.parity.exports import CONFIGS
from tests.parity.networks import apart

BATCH = 6


def saved_distances() -> Iterator[tuple[str, float]]:
    """Yield each configuration's name, without and with dropout, and how far its gradients are, in float64."""
    for path in sorted(CONFIGS.glob("*.yaml")):
        for train in ([], ["--train"]):
            with TemporaryDirectory() as folder:
                file = Path(folder) / "batch.npz"
                command = ["-m", "cnnbp", "grads", path, "--batch", BATCH, "--save", file, "-q", *train]
                subprocess.run([sys.executable, *map(str, command)], check=True, stdout=subprocess.DEVNULL)
                with np.load(file, allow_pickle=False) as arrays:
                    saved = dict(arrays)
            yield " ".join([path.stem, *train]), _distance(load_config(path), saved)


def _distance(config: Config, saved: Mapping[str, Array]) -> float:
    network = config.network
    loss = config.loss.balanced([1] * max(network.output_shape[0], 2))
    params = network.layout.zeros(np.float64)
    for name, array in _below("param/", saved).items():
        layer, _, tensor = name.rpartition(".")
        params[layer][tensor][...] = array
    kept = {node.index: to_torch(saved[f"mask/{node.name}"]) for node in network.nodes if f"mask/{node.name}" in saved}
    for node in network.nodes:
        if isinstance(node.layer, Dropout) and node.index not in kept:
            network = network.with_layer(node.index, node.layer.model_copy(update={"p": 0.0}))
    twin, x = TorchNetwork(network, params, network.initial_state()), to_torch(saved["X"]).requires_grad_()
    value = mean_loss(loss, twin.forward(x, kept=kept), torch.from_numpy(saved["y"]))
    value.backward()
    gradients = {
        f"{layer}.{name}": tensor.grad.numpy()
        for layer, tensors in twin.params.items()
        for name, tensor in tensors.items()
        if tensor.grad is not None
    }
    by_parameters = {name: array for name, array in _below("grad/", saved).items() if name == "X" or "." in name}
    far = apart(by_parameters, {**gradients, "X": to_numpy(x.grad)})
    return max(far, abs(value.item() - float(saved["loss"])))


def _below(prefix: str, saved: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in saved.items() if name.startswith(prefix)}
