"""The engine: however a batch is cut and on however many threads, the gradient is the same."""

from itertools import accumulate, pairwise
from threading import Barrier

import numpy as np
import pytest
from pydantic import TypeAdapter

from cnnbp.arrays import Arena, Array
from cnnbp.engine import Engine, MicroBatch
from cnnbp.layers.residual import LayerSpecs
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network

LAYERS = TypeAdapter(LayerSpecs).validate_python(
    [
        {"conv2d": {"filters": 4, "kernel": 3, "pad": "same"}},
        "batchnorm",
        "relu",
        {"maxpool2d": {"kernel": 2}},
        {"residual": {"layers": [{"conv2d": {"filters": 4, "kernel": 3, "pad": "same"}}, "relu"]}},
        "flatten",
        {"dense": {"units": 6}},
        "batchnorm",
        {"dropout": {"p": 0.3}},
        {"dense": {"units": 3}},
    ]
)


def cut(x: Array, labels: Array, sizes: list[int]) -> list[MicroBatch]:
    edges = pairwise(accumulate(sizes, initial=0))
    return [MicroBatch(np.ascontiguousarray(x[..., a:b]), labels[a:b]) for a, b in edges]


@pytest.fixture
def images() -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(2, 6, 5, 20)), rng.integers(0, 3, 20)


def test_any_number_of_threads_gives_the_same_bytes(images: tuple[Array, Array]) -> None:
    network = Network((2, 6, 5), LAYERS)
    batch = cut(images[0].astype(np.float32), images[1], [4, 4, 4, 4, 4])
    results = []
    for threads in (1, 2, 3, 8):
        params, state = network.initial_parameters(3), network.initial_state()
        with Engine(network, CrossEntropy(), threads=threads, seed=7) as engine:
            for step in range(20):
                result = engine.step(params, state, batch, step)
                params.vector -= np.float32(0.05) * result.gradient.vector
                state = result.state
        running = [array for tensors in state.values() for array in tensors.values()]
        results.append((params.vector.tobytes(), *(array.tobytes() for array in running)))
    assert len(set(results)) == 1


def test_a_batch_in_pieces_has_the_whole_batchs_gradient_and_statistics(images: tuple[Array, Array]) -> None:
    layers = tuple(layer for layer in LAYERS if layer.type != "dropout")
    network = Network((2, 6, 5), layers)
    params, state = network.initial_parameters(3, np.float64), network.initial_state()
    with Engine(network, CrossEntropy(), threads=2) as engine:
        whole = engine.step(params, state, cut(*images, [20]))
        whole_gradient = whole.gradient.vector.copy()
        pieces = engine.step(params, state, cut(*images, [7, 1, 12]))
        np.testing.assert_allclose(pieces.gradient.vector, whole_gradient, rtol=0, atol=1e-14)
        np.testing.assert_allclose(pieces.losses, whole.losses, rtol=1e-12)
    for name, tensors in whole.state.items():
        for key, array in tensors.items():
            np.testing.assert_allclose(pieces.state[name][key], array, rtol=1e-12, atol=1e-14)


def test_inference_uses_the_running_statistics_and_no_dropout(images: tuple[Array, Array]) -> None:
    network = Network((2, 6, 5), LAYERS)
    params, state = network.initial_parameters(3, np.float64), network.initial_state()
    with Engine(network, CrossEntropy(), threads=2) as engine:
        whole = engine.infer(params, state, cut(*images, [20]))
        pieces = engine.infer(params, state, cut(*images, [3, 17]))
    np.testing.assert_allclose(pieces.logits, whole.logits, rtol=1e-12)


def test_threads_prepare_their_images_side_by_side() -> None:
    both = Barrier(2)

    def prepare(x: Array, arena: Arena) -> Array:
        both.wait(30)  # breaks where one waits for the other to be done
        return x

    network = Network((2, 6, 5), LAYERS)
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 4)).astype(np.float32)
    batch = [MicroBatch(x, np.zeros(4, np.intp), prepare)] * 2
    with Engine(network, CrossEntropy(), threads=2, processes=False) as engine:
        assert np.isfinite(engine.step(network.initial_parameters(0), network.initial_state(), batch).loss)
