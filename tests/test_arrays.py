import numpy as np
import pytest

from cnnbp.arrays import Arena, format_shape


@pytest.mark.parametrize(
    ("shape", "batch", "text"),
    [
        ((8, 28, 28), None, "8×28×28"),
        ((8, 28, 28), "M", "8×28×28×M"),
        ((10,), 32, "10×32"),
        ((), None, "scalar"),
    ],
)
def test_shapes_are_written_with_the_batch_behind(shape, batch, text):
    assert format_shape(shape, batch) == text


def take(arena: Arena) -> list[np.ndarray]:
    return [arena.empty((3, 5), np.float32), arena.empty((7,), np.float64), arena.empty((), np.int8)]


def test_arrays_have_the_shape_and_dtype_asked_for_also_before_the_arena_knows_what_it_needs():
    arena = Arena()
    for _ in range(2):
        arena.reset()
        assert [(a.shape, a.dtype) for a in take(arena)] == [((3, 5), "f4"), ((7,), "f8"), ((), "i1")]


def test_arrays_of_one_round_never_overlap():
    arena = Arena()
    for _ in range(3):
        arena.reset()
        arrays = take(arena)
        for value, array in enumerate(arrays):
            array.fill(value)
        for value, array in enumerate(arrays):
            assert (array == value).all()


def test_the_second_round_takes_the_memory_of_the_first():
    arena = Arena()
    take(arena)
    arena.reset()
    first = [array.ctypes.data for array in take(arena)]
    arena.reset()
    assert [array.ctypes.data for array in take(arena)] == first


def test_arrays_lie_on_cache_lines():
    arena = Arena()
    take(arena)
    arena.reset()
    assert [array.ctypes.data % 64 for array in take(arena)] == [0, 0, 0]


def test_what_does_not_fit_lives_on_its_own():
    arena = Arena()
    take(arena)
    arena.reset()
    arrays = [*take(arena), arena.empty((1000,), np.float64)]
    arrays[-1].fill(1)
    arrays[0].fill(2)
    assert (arrays[-1] == 1).all()


def test_the_bytes_of_a_round_are_counted_in_cache_lines():
    arena = Arena()
    take(arena)  # 60, 56 and 1 bytes
    assert arena.nbytes == 3 * 64
    arena.reset()
    assert arena.nbytes == 0


def test_views_of_an_arenas_own_array_are_made_once_and_those_of_any_other_each_time():
    arena = Arena()
    take(arena)
    arena.reset()
    own, other = arena.empty((3, 5), np.float32), np.empty((3, 5))
    assert arena.view(np.transpose, own) is arena.view(np.transpose, own)
    assert arena.view(np.transpose, other) is not arena.view(np.transpose, other)
    for array in (own, other):
        assert arena.view(np.transpose, array).base is array.base or arena.view(np.transpose, array).base is array
