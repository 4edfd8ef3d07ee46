import copy

import numpy as np
import pytest

from cnnbp.errors import CnnbpError, ShapeError
from cnnbp.parameters import Layout, Parameters

LAYOUT = Layout({"conv1": {"W": (2, 1, 2, 2), "b": (2,)}, "dense1": {"W": (1, 3)}})


@pytest.fixture
def params() -> Parameters:
    return Parameters(LAYOUT, np.arange(13.0))


def test_tensors_lie_one_behind_the_other_without_gaps(params):
    assert LAYOUT.size == 13
    assert [(name, array.shape) for name, array in params.named()] == [
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


def test_to_assign_to_a_tensor_is_to_write_into_the_vector(params):
    params["conv1"]["b"] = [3, 4]
    params["dense1"]["W"] = 5
    np.testing.assert_array_equal(params.vector[8:], [3, 4, 5, 5, 5])
    with pytest.raises(ShapeError, match=r"dense1\.W is 1×3; it cannot take 3"):
        params["dense1"]["W"] = np.zeros(3)


def test_parameters_are_a_mapping_from_layers_to_tensors(params):
    assert list(params) == [*params.keys()] == ["conv1", "dense1"]
    assert len(params) == 2
    assert "conv1" in params
    assert "relu1" not in params
    assert {layer: list(tensors) for layer, tensors in params.items()} == {"conv1": ["W", "b"], "dense1": ["W"]}
    assert dict(params)["dense1"]["W"] is params["dense1"]["W"]
    assert params.get("relu1") is None
    assert repr(params) == "<Parameters 13 numbers, float64; conv1: W b, dense1: W>"
    assert repr(params["conv1"]) == "<conv1: W 2×1×2×2, b 2>"


def test_a_misspelled_name_is_a_key_error_that_names_the_nearest(params):
    with pytest.raises(KeyError, match=r"no layer with parameters 'conv9': did you mean \"conv1\"\?") as caught:
        _ = params["conv9"]
    assert isinstance(caught.value, CnnbpError)
    with pytest.raises(KeyError, match=r"no parameter of conv1 'w': did you mean \"W\"\?"):
        _ = params["conv1"]["w"]


def test_a_layer_without_parameters_has_no_tensors(params):
    assert params.of("relu1") == {}


def test_equal_parameters_have_equal_layouts_and_values(params):
    assert params == params.copy()
    assert params != Parameters(LAYOUT, np.zeros(13))
    assert params != Parameters(Layout({"conv1": {"W": (13,)}}), params.vector)
    assert params != {}


@pytest.mark.parametrize("copied", [Parameters.copy, copy.deepcopy])
def test_a_copy_has_its_own_memory_which_its_tensors_lie_in(params, copied):
    other = copied(params)
    other["conv1"]["W"].fill(0)
    assert params.vector[1] == 1
    assert other.vector[1] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_another_dtype_holds_for_vector_and_tensors(params, dtype):
    other = params.astype(dtype)
    assert {array.dtype for _, array in other.named()} == {other.vector.dtype} == {np.dtype(dtype)}
    np.testing.assert_array_equal(other.vector, params.vector)


def test_new_gradients_are_zero():
    assert not LAYOUT.zeros(np.float32).vector.any()
    assert Layout({}).zeros(np.float32).vector.shape == (0,)
