import numpy as np
import pytest

from cnnbp.errors import DataError
from cnnbp.inspect.weights import with_weights
from tests.inspect.lecture import lecture_model

PARAMS = lecture_model().params
W = np.arange(9.0).reshape(1, 1, 3, 3)


def test_given_parameters_take_the_place_of_drawn_ones_and_the_others_stay():
    changed, others = with_weights(PARAMS, {"conv2d1.W": W.astype(np.float32)}, "w.npz")
    np.testing.assert_array_equal(changed["conv2d1"]["W"], W)
    np.testing.assert_array_equal(changed["dense1"]["W"], PARAMS["dense1"]["W"])
    assert others == ["conv2d1.b", "dense1.W", "dense1.b"]
    assert changed.vector.dtype == np.float64
    assert not (PARAMS["conv2d1"]["W"] == W).all()


def test_of_a_saved_batch_only_the_parameters_are_taken():
    arrays = {"X": W, "grad/conv2d1.W": W, "param/conv2d1.W": W + 1}
    np.testing.assert_array_equal(with_weights(PARAMS, arrays, "b.npz")[0]["conv2d1"]["W"], W + 1)


def test_all_that_does_not_fit_is_told_at_once():
    arrays = {"conv1.W": W, "conv2d1.W": W[0], "dense1.b": np.array([np.nan])}
    with pytest.raises(DataError) as error:
        with_weights(PARAMS, arrays, "w.npz")
    assert "'w.npz' does not fit the network: there is no 'conv1.W'" in str(error.value)
    assert "conv2d1.W is 1×3×3, and should be 1×1×3×3" in str(error.value)
    assert "dense1.b holds numbers that are not finite" in str(error.value)
    with pytest.raises(DataError, match="it holds no parameter"):
        with_weights(PARAMS, {}, "w.npz")
