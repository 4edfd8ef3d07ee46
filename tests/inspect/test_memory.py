"""The promise: what is said of a training step is within 10 % of what tracemalloc sees, above 64 MiB."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

from cnnbp.engine import Engine, MicroBatch, micro_batch_size
from cnnbp.engine.ranks import runs
from cnnbp.inspect.memory import kept_memory, step_memory
from cnnbp.layers import GELU, BatchNorm, Conv2d, Dense, Dropout, Flatten, MaxPool2d, ReLU, Residual
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network
from cnnbp.optimizers import SGD, Adam
from tests.random_networks import random_network

MIB = 1 << 20


def conv(filters, *inner):
    return [Conv2d(filters=filters, kernel=3, pad="same"), *inner, ReLU()]


END = [Flatten(), Dense(units=10)]
NETWORKS = {
    "convolutions": ((3, 64, 64), [*conv(4), MaxPool2d(kernel=4), *conv(8), *conv(16), *END], 1200),
    "many micro-batches": ((1, 48, 48), [*conv(2), MaxPool2d(kernel=2), *conv(4), *END], 7000),
    "batch norm": ((3, 24, 24), [*conv(16, BatchNorm()), MaxPool2d(kernel=2), *conv(32, BatchNorm()), *END], 240),
    "parameters": ((3, 16, 16), [Flatten(), Dense(units=3000), ReLU(), Dropout(), *END[1:]], 64),
    "residual": ((8, 80, 80), [Residual(layers=[*conv(8), *conv(8)]), GELU(), MaxPool2d(kernel=2), *END], 200),
}


def traced(network, optimizer, batch_size, threads):
    """Return the most that tracemalloc sees over five training steps on noise, and what processes would share."""
    rng, m = np.random.default_rng(0), micro_batch_size(network, batch_size)
    tracemalloc.start()
    try:
        params, state = network.initial_parameters(0), network.initial_state()
        slots, decays = optimizer.slots(params.layout.size, params.vector.dtype), network.decays()
        sizes = [min(m, batch_size - start) for start in range(0, batch_size, m)]
        batch = [
            MicroBatch(rng.random((*network.input_shape, size), np.float32), rng.integers(0, 10, size))
            for size in sizes
        ]
        tracemalloc.reset_peak()
        with Engine(network, CrossEntropy(), threads=threads, processes=False) as engine:
            for count in range(1, 4):
                gradient = engine.step(params, state, batch, count).gradient.vector
                optimizer.step(params.vector, gradient, decays, slots, lr=1e-3, count=count)
        others = batch[runs(len(batch), threads)[0].stop :]
        shared = params.vector.nbytes + sum(part.images.nbytes for part in others) if others else 0
        return tracemalloc.get_traced_memory()[1] + shared
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_memory_of_a_step_is_within_a_tenth_of_what_tracemalloc_sees(name, threads):
    input_shape, layers, batch_size = NETWORKS[name]
    network, optimizer = Network(input_shape, layers), Adam() if name == "parameters" else SGD()
    seen = traced(network, optimizer, batch_size, threads)
    assert seen > 64 * MIB, f"{seen / MIB:.0f} MiB: too small to say anything"
    told = step_memory(network, CrossEntropy(), optimizer, batch_size, threads)
    assert told.peak_bytes == pytest.approx(seen, rel=0.1), f"{told.peak_bytes / MIB:.1f} against {seen / MIB:.1f} MiB"
    assert (told.batch, told.threads) == (batch_size, threads)


def test_what_works_in_place_or_is_a_view_adds_nothing():
    network = Network((1, 6, 6), [Conv2d(filters=2, kernel=3), ReLU(), Flatten(), Dense(units=1)])
    convolution, relu, flatten, dense = kept_memory(network, 32)
    assert convolution.activation == 4 * 2 * 4 * 4
    assert (relu.activation, relu.cache, flatten.activation, flatten.cache) == (0, 0, 0, 0)
    assert (dense.activation, dense.cache) == (4, 0)


def test_a_network_that_would_take_minutes_is_not_run_to_be_measured():
    network = Network((3, 8192, 8192), [Conv2d(filters=1000, kernel=9, pad="same"), ReLU()])
    assert {(kept.activation, kept.cache) for kept in kept_memory(network, 4)} == {(None, None)}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_layers_each_output_lies_in_memory_once(seed):
    network = random_network(seed).network
    for node, kept in zip(network.nodes, kept_memory(network, 4), strict=True):
        assert kept.activation in (0, 4 * int(np.prod(node.output_shape))), node.name
        assert kept.cache >= 0


@dataclass(frozen=True)
class Kept:
    copies: tuple[np.ndarray, ...]
    note: str | None


def layer_that_keeps(note):
    class Keeping(Dense):
        def forward(self, params, x, ctx):
            y, _ = super().forward(params, x, ctx)
            return y, Kept((x.copy(), x.copy()), note)

    return Keeping(units=2)


def test_a_cache_may_be_a_dataclass_of_arrays_and_nothing_that_cannot_be_measured():
    [kept] = kept_memory(Network((6,), [layer_that_keeps(None)]), 32)
    assert kept.cache == 2 * 4 * 6
    with pytest.raises(TypeError, match="not str"):
        kept_memory(Network((6,), [layer_that_keeps("a word")]), 32)
