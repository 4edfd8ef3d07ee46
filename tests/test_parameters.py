import numpy as np
import pytest

from cnnbp.parameters import Layout, Parameters

LAYOUT = Layout({"conv1": {"W": (2, 1, 2, 2), "b": (2,)}, "dense1": {"W": (1, 3)}})


@pytest.fixture
def params() -> Parameters:
    return Parameters(LAYOUT, np.arange(13.0))


def test_tensors_lie_one_behind_the_other_without_gaps(params):
    assert LAYOUT.size == 13
    assert [(name, array.shape) for name, array in params.items()] == [
        ("conv1.W", (2, 1, 2, 2)),
        ("conv1.b", (2,)),
        ("dense1.W", (1, 3)),
    ]
    np.testing.assert_array_equal(params["conv1"]["b"], [8, 9])
    np.testing.assert_array_equal(params["dense1"]["W"], [[10, 11, 12]])


def test_a_tensor_and_the_vector_are_the_same_memory(params):
    params["conv1"]["b"][:] = -1
    np.testing.assert_array_equal(params.vector[8:10], [-1, -1])
    params.vector += 1
    np.testing.assert_array_equal(params["conv1"]["b"], [0, 0])


def test_a_layer_without_parameters_has_no_tensors(params):
    assert params["relu1"] == {}


def test_a_copy_has_its_own_memory(params):
    other = params.copy()
    other["conv1"]["W"].fill(0)
    assert params.vector[1] == 1
    assert other.vector[1] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_another_dtype_holds_for_vector_and_tensors(params, dtype):
    other = params.astype(dtype)
    assert {array.dtype for _, array in other.items()} == {other.vector.dtype} == {np.dtype(dtype)}
    np.testing.assert_array_equal(other.vector, params.vector)


def test_new_gradients_are_zero():
    assert not LAYOUT.zeros(np.float32).vector.any()
    assert Layout({}).zeros(np.float32).vector.shape == (0,)
