"""How far random networks are from PyTorch's: outputs, gradients, running statistics, and the engine's pieces."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.arrays import Array
from cnnbp.bench.torch_network import to_numpy
from cnnbp.engine import Engine, MicroBatch
from cnnbp.layers import Dropout
from cnnbp.network import INPUT
from tests.parity.torch_network import TorchTwin
from tests.random_networks import RandomNetwork, random_network, run

Distances = Iterator[tuple[str, float]]  # (what was compared, how far it is)


def network_distances(seed: int, dtype: DTypeLike) -> Distances:
    """Yield the distances of one random network: gradients in shares of its largest, the rest of their own largest."""
    drawn = random_network(seed)
    drawn = replace(drawn, params=drawn.params.astype(dtype), x=drawn.x.astype(dtype))
    for training in (True, False):
        tape, gradient = run(drawn, training=training)
        twin = TorchTwin(tape, drawn.loss, drawn.labels)
        what = "in training" if training else "after training"
        yield f"outputs {what}", distance(tape.values[len(drawn.network.nodes) - 1], to_numpy(twin.logits))
        gradients = {"X": tape.gradients[INPUT], **dict(gradient.items())}
        yield f"∂L/∂θ and ∂L/∂X {what}", apart(gradients, twin.gradients())
        if training:
            yield from engine_distances(drawn, twin)


def engine_distances(drawn: RandomNetwork, twin: TorchTwin) -> Distances:
    """Yield how far one training step is that the engine runs image by image: it never sees the batch as a whole."""
    M = len(drawn.labels)
    pieces = [np.arange(M)] if _drops(drawn) else [np.array([m]) for m in range(M)]  # a mask is a micro-batch's own
    batch = [MicroBatch(np.ascontiguousarray(drawn.x[..., piece]), drawn.labels[piece]) for piece in pieces]
    with Engine(drawn.network, drawn.loss, threads=1, seed=drawn.seed) as engine:
        result = engine.step(drawn.params, drawn.state, batch)
    expected = twin.gradients()
    yield "∂L/∂θ of the engine, image by image", apart({**dict(result.gradient.items()), "X": expected["X"]}, expected)
    for layer, tensors in result.state.items():
        for name, array in tensors.items():
            yield "running statistics", distance(array, twin.state[layer][name].numpy())


def _drops(drawn: RandomNetwork) -> bool:
    return any(isinstance(node.layer, Dropout) for node in drawn.network.nodes)


def distance(actual: Array, expected: Array) -> float:
    """Return the largest difference in shares of the largest number."""
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def apart(actual: dict[str, Array], expected: dict[str, Array]) -> float:
    """Return the largest difference between tensors in shares of the largest number in any of them."""
    assert actual.keys() == expected.keys()
    worst = max(np.abs(actual[name] - expected[name]).max() for name in expected)
    return float(worst / max(np.abs(tensor).max() for tensor in expected.values()))
