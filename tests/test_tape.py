import tracemalloc

import numpy as np
import pytest

from cnnbp.arrays import Arena
from cnnbp.fast import as_written, plan_for
from cnnbp.layers import Conv2d, Dense, Dropout, Flatten, LayerSpec, MaxPool2d, ReLU, Residual, Tanh
from cnnbp.network import INPUT, Network
from cnnbp.tape import Tape, infer
from tests.random_networks import random_network, run


def taken_back(layers: list[LayerSpec], x: np.ndarray, dy: np.ndarray, **options: bool) -> Tape:
    network = Network(x.shape[:-1], layers)
    params = network.initial_parameters(0, np.float64)
    tape = Tape(network, params, {}, x, Arena(), **options)
    tape.forward()
    tape.gradients[network.nodes[-1].index] = dy
    tape.backward(params.layout.zeros(np.float64))
    return tape


@pytest.mark.parametrize("seed", range(100))
def test_working_in_place_changes_no_bit_of_output_and_gradient(seed):
    drawn = random_network(seed)
    (kept, expected), (reused, gradient) = (
        run(drawn, keep_everything=keep, planner=plan_for) for keep in (True, False)
    )
    last = drawn.network.nodes[-1].index
    np.testing.assert_array_equal(reused.values[last], kept.values[last], err_msg=str(drawn))
    np.testing.assert_array_equal(gradient.vector, expected.vector, err_msg=str(drawn))


@pytest.mark.parametrize("seed", range(100))
def test_what_is_fast_comes_to_what_is_written_but_for_rounding(seed):
    drawn = random_network(seed)
    (written, expected), (fast, gradient) = (run(drawn, planner=planner) for planner in (as_written, plan_for))
    last = drawn.network.nodes[-1].index
    for got, wanted in ((fast.values[last], written.values[last]), (gradient.vector, expected.vector)):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10 * abs(wanted).max(), err_msg=str(drawn))


@pytest.mark.parametrize("seed", range(20))
def test_the_images_are_never_overwritten(seed):
    drawn = random_network(seed)
    tape, _ = run(drawn, keep_everything=False)
    np.testing.assert_array_equal(tape.values[INPUT], drawn.x)


def test_a_value_that_is_read_twice_gets_both_gradients():
    x, dy = np.array([[3.0, -2.0]]), np.array([[5.0, 7.0]])
    tape = taken_back([Residual(layers=[ReLU()])], x, dy, keep_everything=True)
    np.testing.assert_array_equal(tape.values[-2], [[6.0, -2.0]])  # max(x, 0) + x
    np.testing.assert_array_equal(tape.gradients[INPUT], [[10.0, 7.0]])  # dy·[x > 0] + dy


def test_a_network_may_begin_with_a_residual_block_that_adds_the_images_themselves():
    x = np.ones((2, 3, 3, 2))
    block = Residual(layers=[Conv2d(filters=2, kernel=3, pad=1)])
    tape = taken_back([block], x, np.ones_like(x), keep_everything=False)
    assert tape.gradients[INPUT] is None


def test_no_gradient_of_the_images_is_worked_out_unless_everything_is_kept():
    layers, x, dy = [Flatten(), Dense(units=3)], np.ones((1, 2, 2, 2)), np.ones((3, 2))
    assert taken_back(layers, x, dy, keep_everything=False).gradients[INPUT] is None
    assert taken_back(layers, x, dy, keep_everything=True).gradients[INPUT].shape == x.shape


def test_equal_streams_drop_equal_numbers_and_each_part_of_the_key_counts():
    network = Network((50,), [Dropout(), Dropout()])
    params, x = network.initial_parameters(0), np.ones((50, 4))

    def dropped(*stream: int) -> np.ndarray:
        tape = Tape(network, params, {}, x, Arena(), stream=stream)
        return tape.forward(tape.plan.operations[:1])

    np.testing.assert_array_equal(dropped(1, 2, 3), dropped(1, 2, 3))
    for other in [(0, 2, 3), (1, 0, 3), (1, 2, 0)]:
        assert (dropped(1, 2, 3) != dropped(*other)).any()


def test_a_tape_that_takes_one_micro_batch_after_another_treats_each_as_a_new_one_would():
    network = Network((2, 6, 6), [Conv2d(filters=3, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dropout()])
    params, rng = network.initial_parameters(0), np.random.default_rng(0)
    batches = [rng.normal(size=(2, 6, 6, m)).astype(np.float32) for m in (4, 4, 3, 4)]
    used = Tape(network, params, {}, batches[0], Arena(), stream=(1, 0, 0))
    for step, x in enumerate(batches):
        used.arena.reset()
        used.begin(params, {}, x, (1, step, 0))
        results = []
        for tape in (used, Tape(network, params, {}, x, Arena(), stream=(1, step, 0))):
            y, gradient = tape.forward(), params.layout.zeros(np.float32)
            tape.gradients[network.nodes[-1].index] = np.ones_like(y)
            tape.backward(gradient)
            results.append((y, gradient.vector))
        np.testing.assert_equal(*results)


def test_two_dropouts_of_one_network_drop_different_numbers():
    network = Network((50,), [Dropout(), Dropout()])
    tape = Tape(network, network.initial_parameters(0), {}, np.ones((50, 4)), Arena(), keep_everything=True)
    tape.forward()
    assert (tape.caches[0] != tape.caches[1]).any()


def both_ways(x: np.ndarray, layers: list[LayerSpec]) -> tuple[Tape, list[tuple[np.ndarray, ...]]]:
    """Return the tape that is fast, and logits and gradients as written and fast."""
    network = Network(x.shape[:-1], layers)
    params = network.layout.zeros(x.dtype)
    params.vector[:] = np.random.default_rng(2).integers(-2, 3, len(params.vector))
    results = []
    for keep_everything in (True, False):
        tape, gradient = Tape(network, params, {}, x, Arena(), keep_everything=keep_everything), params.copy()
        logits = tape.forward().copy()
        tape.gradients[network.nodes[-1].index] = np.ones_like(logits)
        tape.backward(gradient)
        results.append((logits, gradient.vector))
    return tape, results


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pool", [{"kernel": 2}, {"kernel": 3, "stride": 2}, {"kernel": 2, "pad": 1}])
def test_a_relu_that_trades_places_with_a_pool_changes_no_bit_not_even_where_maxima_are_tied(pool, dtype):
    x = np.random.default_rng(1).integers(-2, 3, (2, 6, 7, 5)).astype(dtype)  # ties, of zeros too
    layers = [Conv2d(filters=3, kernel=1), ReLU(), MaxPool2d(**pool), Flatten(), Dense(units=2)]
    tape, results = both_ways(x, layers)
    assert [[node.name for node in operation.nodes] for operation in tape.plan.operations][:2] == [
        ["conv2d1"],
        ["relu1", "maxpool2d1"],
    ]
    np.testing.assert_equal(*results)


@pytest.mark.parametrize("relu", [[], [ReLU()]])
def test_a_pool_that_is_done_with_its_convolution_changes_no_bit(relu):
    x = np.random.default_rng(1).integers(-2, 3, (2, 14, 16, 9)).astype(np.float64)  # ties, of zeros too
    conv = Conv2d(filters=12, kernel=3, pad=1)
    tape, results = both_ways(x, [conv, *relu, MaxPool2d(kernel=2), conv, ReLU(), Flatten(), Dense(units=2)])
    assert tape.plan.operations[0].kernel == "rows, pools"
    np.testing.assert_equal(*results)


def test_feature_maps_that_stay_in_strips_give_what_the_network_gives_as_written_but_for_rounding():
    x = np.random.default_rng(1).normal(size=(16, 12, 12, 16)).astype(np.float32)
    wide = Conv2d(filters=18, kernel=3, pad=1)
    layers = [
        wide,
        ReLU(),
        wide,
        ReLU(),
        MaxPool2d(kernel=2),
        wide,
        wide,
        MaxPool2d(kernel=2),
        Flatten(),
        Dense(units=2),
    ]
    tape, results = both_ways(x, layers)
    assert [(op.takes, op.gives) for op in tape.plan.operations[:4]] == [(0, 2), (2, 2), (2, 2), (2, 0)]
    for planned, written in zip(*reversed(results), strict=True):
        np.testing.assert_allclose(planned, written, rtol=0, atol=1e-5 * abs(written).max())


@pytest.mark.parametrize("seed", range(20))
def test_inference_gives_the_same_bits_and_lets_go_of_what_nobody_reads_any_more(seed):
    drawn = random_network(seed)
    kept, _ = run(drawn, training=False, planner=plan_for)
    logits = infer(drawn.network, drawn.params, drawn.state, drawn.x)
    np.testing.assert_array_equal(logits, kept.values[drawn.network.nodes[-1].index], err_msg=str(drawn))


def test_inference_holds_a_handful_of_values_however_deep_the_network():
    def peak(depth: int) -> int:
        network = Network((4, 32, 32), [layer for _ in range(depth) for layer in (Conv2d(filters=4, kernel=1), Tanh())])
        params, x = network.initial_parameters(0), np.zeros((4, 32, 32, 16), np.float32)
        tracemalloc.start()
        infer(network, params, {}, x)
        _, seen = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return seen

    assert peak(20) < 1.2 * peak(4)
