import pytest

from cnnbp.errors import ShapeError
from cnnbp.layers import Dense


def test_its_weight_is_shrunk_and_its_bias_is_not():
    specs = Dense(units=3).parameters((5,))
    W, b = specs["W"], specs["b"]
    assert (W.shape, W.fan_in, W.fan_out, W.decays) == ((3, 5), 5, 3, True)
    assert (b.shape, b.fill, b.decays) == ((3,), 0.0, False)
    assert Dense(units=3, bias=False).parameters((5,)).keys() == {"W"}


def test_its_products_are_counted_per_image():
    assert Dense(units=3).macs((5,)) == 15


def test_feature_maps_are_refused_with_what_to_put_before_it():
    with pytest.raises(ShapeError, match=r'dense "d" needs a flat input .* 2×3×4×M: put a flatten'):
        Dense(name="d", units=3).output_shape((2, 3, 4))
