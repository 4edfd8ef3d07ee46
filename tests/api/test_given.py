import numpy as np
import pytest

from cnnbp.api import given
from cnnbp.config import Config
from cnnbp.errors import CnnbpError, ConfigError, DataError, ShapeError
from cnnbp.layers import Conv2d, Dense, Flatten
from cnnbp.losses import CrossEntropy

SHAPE = (2, 3, 4)  # C, H, W: all different
ONE = np.arange(24.0).reshape(SHAPE)


@pytest.mark.parametrize(
    ("layout", "array"),
    [
        ("chwm", np.stack([ONE, ONE + 1], -1)),
        ("nchw", np.stack([ONE, ONE + 1])),
        ("nhwc", np.stack([ONE, ONE + 1]).transpose(0, 2, 3, 1)),
    ],
)
def test_a_layout_says_where_the_axes_are(layout, array):
    np.testing.assert_array_equal(given.images(array, SHAPE, layout), np.stack([ONE, ONE + 1], -1))


@pytest.mark.parametrize(
    ("layout", "array"),
    [("nhw", np.ones((5, 3, 4))), ("hw", np.ones((3, 4))), ("chw", np.ones((1, 3, 4))), ("hwc", np.ones((3, 4, 1)))],
)
def test_an_axis_that_a_layout_leaves_out_has_one_place(layout, array):
    assert given.images(array, (1, 3, 4), layout).shape == (1, 3, 4, 5 if layout == "nhw" else 1)


def test_a_view_is_taken_where_it_can_be():
    array = np.ones((5, 3, 4), np.uint8)
    assert np.shares_memory(given.images(array, (1, 3, 4), "nhw"), array)


NAN = np.where(np.arange(24) == 7, np.nan, 1).reshape(SHAPE)


@pytest.mark.parametrize(
    ("x", "layout", "error", "message"),
    [
        (np.ones((2, 9, 9, 3)), "chwm", ShapeError, r"x is 2×9×9×3; the network reads 2×3×4×M \(layout='chwm'\)$"),
        (np.ones((5, 2, 3, 4)), "chwm", ShapeError, "layout='nchw' would fit"),
        (ONE, "chwm", ShapeError, "x is 2×3×4; .*: layout='chw' would fit"),
        (ONE[..., None], "nwhc", ConfigError, "no layout 'nwhc': did you mean \"nhwc\""),
        (ONE[..., None].astype(int), "chwm", DataError, "x holds int64; images are uint8"),
        (ONE[..., None] > 1, "chwm", DataError, "x holds bool; images are uint8"),
        (ONE[..., None] * 1j, "chwm", DataError, "x holds complex128"),
        (np.full((2, 3, 4, 1), "a"), "chwm", DataError, "x holds <U1"),
        ([[1, 2], [3]], "chwm", DataError, "x is no array"),
        (NAN, "chw", DataError, r"x\[0, 1, 3, 0\] is nan: 1 of 24 numbers are not finite|x\[0, 1, 3\] is nan"),
        (NAN * np.inf, "chw", DataError, "are not finite"),
        (np.ones((2, 3, 4, 0)), "chwm", DataError, "x is 2×3×4×0: there is nothing in it"),
    ],
)
def test_images_that_do_not_fit_are_an_error_that_says_what_is_needed(x, layout, error, message):
    with pytest.raises(error, match=message) as caught:
        given.images(x, SHAPE, layout)
    assert isinstance(caught.value, CnnbpError)


@pytest.mark.parametrize("y", [[0, 1, 2], (0, 1, 2), np.array([0, 1, 2], np.uint8)])
def test_labels_are_class_indices(y):
    found = given.labels(y, 3, 3)
    assert (found.dtype, found.tolist()) == (np.intp, [0, 1, 2])


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([0, 7, 1], DataError, r"y\[1\] is 7; the.* classes.* 0 to 1"),
        ([0, -1, 1], DataError, r"y\[1\] is -1"),
        ([0, 1], DataError, "3 images, but 2 labels in y"),
        ([0.0, 1.0, 1.0], DataError, "y holds float64; class indices are whole numbers"),
        ([True, False, True], DataError, "y holds bool"),
        (["a", "b", "a"], DataError, "y holds <U1"),
        ([[0], [1], [1]], ShapeError, r"y is 3×1; one class index for each image is needed: \(3,\)"),
        (1, ShapeError, "y is scalar"),
    ],
)
def test_labels_that_do_not_fit_are_an_error_that_says_what_is_needed(y, error, message):
    with pytest.raises(error, match=message):
        given.labels(y, 3, 2)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", None])
def test_a_count_is_a_whole_number_from_1_on(value):
    with pytest.raises(ConfigError, match=r"batch is .*; a whole number from 1 on is needed"):
        given.number(value, "batch")


def config_of(filters, units=2):
    layers = (Conv2d(filters=filters, kernel=3), Flatten(), Dense(units=units))
    return Config(input={"channels": 1, "height": 5, "width": 5}, layers=layers, loss=CrossEntropy())


def test_parameters_of_another_network_are_told_apart():
    config, other = config_of(filters=2), config_of(filters=3)
    network, theirs = config.network, other.network.initial_parameters(0)
    own = network.initial_parameters(0)
    assert given.parameters_of(network, own) is own
    with pytest.raises(ShapeError, match=r"another network's: conv2d1\.W is 3×1×3×3, here 2×1×3×3"):
        given.parameters_of(network, theirs)
    own["dense1"]["b"] = np.nan
    with pytest.raises(DataError, match=r"dense1\.b\[0\] is nan"):
        given.parameters_of(network, own)
    with pytest.raises(ConfigError, match=r"Parameters are needed.*got dict"):
        given.parameters_of(network, {})


def test_a_configuration_made_in_python_is_held_to_the_same():
    assert given.checked_config(config_of(2)).input.height == 5
    with pytest.raises(ConfigError, match='cross_entropy needs an output for each class; "dense1" gives 1'):
        given.checked_config(config_of(2, units=1))
    with pytest.raises(ConfigError, match=r"a Config is needed, got the text 'a.yaml'"):
        given.checked_config("a.yaml")
