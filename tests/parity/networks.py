"""How far networks are from PyTorch's: outputs, gradients, running statistics, and the engine's pieces."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.arrays import Arena, Array
from cnnbp.bench.torch_network import to_numpy
from cnnbp.config import load_config
from cnnbp.engine import Engine, MicroBatch, micro_batch_size
from cnnbp.inspect.curvature import curvature_product
from cnnbp.inspect.images import random_images
from cnnbp.inspect.record import Model, record_batch
from cnnbp.layers import Dropout
from cnnbp.network import INPUT
from cnnbp.parameters import Parameters
from cnnbp.tape import Tape
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
        gradients = {"X": tape.gradients[INPUT], **dict(gradient.named())}
        yield f"∂L/∂θ and ∂L/∂X {what}", apart(gradients, twin.gradients())
        if training:
            yield from engine_distances(drawn, twin)
    yield "curvature H·v", curvature_distance(drawn, seed)


def curvature_distance(drawn: RandomNetwork, seed: int) -> float:
    """Return how far the complex step's H·v, in float64 whatever the dtype, is from autograd taken backward twice."""
    model = Model(drawn.network, drawn.loss, drawn.params, drawn.state)
    record = record_batch(model, drawn.x, drawn.labels, dropout=True)
    v = np.random.default_rng(seed).normal(size=drawn.params.vector.size)
    expected = TorchTwin(record.tape, drawn.loss, drawn.labels).curvature_product(Parameters(drawn.params.layout, v))
    return distance(curvature_product(record)(v), expected)


def engine_distances(drawn: RandomNetwork, twin: TorchTwin) -> Distances:
    """Yield how far one training step is that the engine runs image by image: it never sees the batch as a whole."""
    M = len(drawn.labels)
    pieces = [np.arange(M)] if _drops(drawn) else [np.array([m]) for m in range(M)]  # a mask is a micro-batch's own
    batch = [MicroBatch(np.ascontiguousarray(drawn.x[..., piece]), drawn.labels[piece]) for piece in pieces]
    with Engine(drawn.network, drawn.loss, threads=1, seed=drawn.seed) as engine:
        result = engine.step(drawn.params, drawn.state, batch)
    expected = twin.gradients()
    yield "∂L/∂θ of the engine, image by image", apart({**dict(result.gradient.named()), "X": expected["X"]}, expected)
    for layer, tensors in result.state.items():
        for name, array in tensors.items():
            yield "running statistics", distance(array, twin.state[layer][name].numpy())


def workload_distances(path: Path, dtype: DTypeLike) -> Distances:
    """Yield how far one training step of a configuration is, in micro-batches as large as they are in training.

    Only so large are the fast kernels chosen: random networks are too small for them.
    """
    config = load_config(path)
    network, images = config.network, random_images(config, config.train.batch_size)
    loss, size = config.loss.balanced(images.class_counts), micro_batch_size(network, config.train.batch_size)
    params, state, x = network.initial_parameters(0, dtype), network.initial_state(), images.x.astype(dtype)
    pieces = np.split(np.arange(len(images.labels)), range(size, len(images.labels), size))
    batch = [MicroBatch(np.ascontiguousarray(x[..., piece]), images.labels[piece]) for piece in pieces]
    with Engine(network, loss, seed=0) as engine:
        gradient = dict(engine.step(params, state, batch).gradient.named())
    tape = Tape(network, params, state, x, Arena(), keep_everything=True)
    expected = TorchTwin(tape, loss, images.labels).gradients()
    yield f"∂L/∂θ of {path.stem}", apart({**gradient, "X": expected["X"]}, expected)


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
