import numpy as np
import pytest

from tests.gradcheck.points import NORMALISED, point


def test_jitter_moves_what_starts_at_0_or_1_and_nothing_else():
    here = point(NORMALISED)
    there = here.jittered(seed=0)
    pairs = [(name, a, b) for (name, a), (_, b) in zip(here.params.named(), there.params.named(), strict=True)]
    moved = {"conv2d1.b", "batchnorm1.gamma", "batchnorm1.beta", "dense1.b"}
    assert {name for name, a, b in pairs if (a != b).all()} == moved
    assert {name for name, a, b in pairs if (a == b).all()} == {"conv2d1.W", "dense1.W"}


def test_without_dropout_nothing_is_dropped():
    tape, _ = point(NORMALISED).without_dropout().forward()
    [dropout] = [node for node in tape.network.nodes if node.layer.type == "dropout"]
    np.testing.assert_array_equal(tape.values[dropout.index], tape.values[dropout.inputs[0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_point_runs_in_the_dtype_that_it_is_put_into(dtype):
    tape, logits = point().astype(dtype).forward()
    assert logits.dtype == dtype
    assert point().astype(dtype).backward(tape, np.ones_like(logits)).vector.dtype == dtype


def test_beside_a_point_nothing_stays_where_it_was_and_nothing_is_far_from_it():
    here = point()
    here.params["conv2d1"]["b"][...] = 0
    beside = here.beside()
    for old, new in ((here.x, beside.x), (here.params.vector, beside.params.vector)):
        assert (new != old).all()
        assert np.abs(new - old).max() < 0.06 * max(np.abs(old).max(), 1)
