"""A team of processes: the same bits as one process, whatever the batches, and nothing left of it afterwards."""

import gc
import os
import signal
import weakref

import numpy as np
import pytest

from cnnbp.engine import Engine
from cnnbp.engine.fork import CAN_FORK
from cnnbp.errors import CnnbpError
from cnnbp.layers.activations import ReLU
from cnnbp.layers.dense import Dense
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network
from tests.processes import children
from tests.test_engine import LAYERS, cut

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="processes are not forked here")


HERE = os.getpid()


def images_of(sizes, dtype=np.float32, seed=5):
    rng = np.random.default_rng(seed)
    return cut(rng.normal(size=(2, 6, 5, sum(sizes))).astype(dtype), rng.integers(0, 3, sum(sizes)), sizes)


def bytes_of_steps(batches, **options):
    network = Network((2, 6, 5), LAYERS)
    found = []
    with Engine(network, CrossEntropy(), seed=7, **options) as engine:
        for step, batch in enumerate(batches):
            params, state = network.initial_parameters(step).astype(batch[0].x.dtype), network.initial_state()
            result = engine.step(params, state, batch, step)
            found += [result.losses.tobytes(), result.gradient.vector.tobytes(), str(result.correct)]
            found += [array.tobytes() for tensors in result.state.values() for array in tensors.values()]
            seen = engine.infer(params, result.state, batch)
            found += [seen.losses.tobytes(), seen.logits.tobytes()]
    return found


def test_batches_of_any_size_and_type_one_after_the_other():
    sizes = [[4, 4, 4], [4] * 9, [3, 1], [5], [2] * 64, [6, 6, 6, 6]]
    batches = [*map(images_of, sizes), images_of([4, 4, 4], np.float64)]
    alone = bytes_of_steps(batches, threads=1)
    assert bytes_of_steps(batches, threads=2) == bytes_of_steps(batches, threads=4) == alone
    assert bytes_of_steps(batches, threads=4, processes=False) == alone


def test_nobody_is_left_when_the_engine_is_done():
    before = children()
    with Engine(Network((2, 6, 5), LAYERS), CrossEntropy(), threads=3) as engine:
        engine.infer(engine.network.initial_parameters(0), engine.network.initial_state(), images_of([2]))
        assert children() == before, "one micro-batch needs no team"
        engine.infer(engine.network.initial_parameters(0), engine.network.initial_state(), images_of([2] * 5))
        assert len(children() - before) == 2
    assert children() == before


class Particular(ReLU):
    """Takes no negative images."""

    def forward(self, params, x, ctx):
        if (x < 0).any():
            raise ValueError("negative")
        return super().forward(params, x, ctx)


def particular_engine():
    return Engine(Network((2, 6, 5), [Particular(), *LAYERS[5:]]), CrossEntropy(), threads=2)


@pytest.mark.parametrize("place", [0, 3])
def test_what_a_process_raises_is_raised_here_and_the_engine_goes_on(place):
    batch = images_of([2] * 4)
    for part in batch:
        np.abs(part.images, out=part.images)
    before = children()
    with particular_engine() as engine:
        params, state = engine.network.initial_parameters(0), engine.network.initial_state()
        expected = engine.step(params, state, batch).losses
        np.negative(batch[place].images, out=batch[place].images)
        with pytest.raises(ValueError, match="negative") as raised:
            engine.step(params, state, batch)
        assert bool(place) == any("in forward" in note for note in getattr(raised.value, "__notes__", []))
        assert children() == before, "it may be anywhere in the step"
        np.negative(batch[place].images, out=batch[place].images)
        np.testing.assert_array_equal(engine.step(params, state, batch).losses, expected)


class Strange(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")


class Picky(ReLU):
    """Takes no images at all in a process of its own."""

    def forward(self, params, x, ctx):
        if os.getpid() != HERE:
            raise Strange("odd", 3)
        return super().forward(params, x, ctx)


def test_an_exception_that_cannot_travel_is_told_in_words():
    network = Network((2, 6, 5), [Picky(), *LAYERS[5:]])
    with (
        Engine(network, CrossEntropy(), threads=2) as engine,
        pytest.raises(RuntimeError, match=r"(?s)in forward.*Strange: odd at 3"),
    ):
        engine.step(network.initial_parameters(0), network.initial_state(), images_of([2] * 4))


def test_an_engine_that_nobody_has_entered_starts_no_process_and_a_closed_one_gives_its_memory_back():
    before, buffer = children(), np.getbufsize()
    engine = Engine(Network((2, 6, 5), LAYERS), CrossEntropy(), threads=2)
    params, state = engine.network.initial_parameters(0), engine.network.initial_state()
    engine.step(params, state, images_of([2] * 4))
    assert children() == before
    with engine:
        engine.step(params, state, images_of([2] * 4))
        team = weakref.ref(engine._team)
        shared = weakref.ref(engine._team._shared)
    assert engine.step(params, state, images_of([2] * 4)).losses.shape == (8,)
    gc.collect()
    assert (team(), shared()) == (None, None)
    assert children() == before
    assert np.getbufsize() == buffer


def test_a_process_that_is_killed_is_an_error_that_says_so():
    before = children()
    with particular_engine() as engine:
        params, state = engine.network.initial_parameters(0), engine.network.initial_state()
        batch = images_of([2] * 4)
        for part in batch:
            np.abs(part.images, out=part.images)
        engine.step(params, state, batch)
        [member] = children() - before
        os.kill(member, signal.SIGKILL)
        with pytest.raises(CnnbpError, match="fewer --threads"):
            engine.step(params, state, batch)
        assert np.isfinite(engine.step(params, state, batch).loss)


def test_a_system_that_gives_no_process_is_worked_for_by_threads(monkeypatch):
    batches = [images_of([4, 4, 4])]
    expected = bytes_of_steps(batches, threads=1)
    monkeypatch.setattr(os, "fork", lambda: (_ for _ in ()).throw(BlockingIOError(11, "no more processes")))
    before = children()
    assert bytes_of_steps(batches, threads=3) == expected
    assert children() == before


def test_parameters_of_a_single_layer_need_no_more_room_than_they_take():
    network = Network((3,), [Dense(units=2)])
    rng = np.random.default_rng(0)
    batch = cut(rng.normal(size=(3, 5)), rng.integers(0, 2, 5), [2, 2, 1])
    with Engine(network, CrossEntropy(), threads=3) as engine:
        result = engine.step(network.initial_parameters(0, np.float64), {}, batch)
    assert result.gradient.vector.shape == (8,)
