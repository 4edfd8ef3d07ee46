import numpy as np
import pytest

from cnnbp.errors import ShapeError
from cnnbp.layers import BatchNorm, Context, GroupNorm

RNG = np.random.default_rng(0)
TRAINING = Context(training=True)
PARAMS = {"gamma": RNG.normal(size=6), "beta": RNG.normal(size=6)}


def test_one_group_for_each_channel_is_batch_norm_of_each_image_alone():
    x, dy = RNG.normal(3, 2, size=(2, 6, 4, 5, 3))
    y, cache = GroupNorm(groups=6).forward(PARAMS, x, TRAINING)
    dx, _ = GroupNorm(groups=6).backward(PARAMS, cache, dy, TRAINING)
    for m in range(3):
        alone, cache = BatchNorm().forward(PARAMS, x[..., [m]], TRAINING)
        dx_alone, _ = BatchNorm().backward(PARAMS, cache, dy[..., [m]], TRAINING)
        np.testing.assert_allclose(y[..., [m]], alone, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(dx[..., [m]], dx_alone, rtol=1e-11, atol=1e-14)


def test_one_group_is_layer_norm_over_an_image():
    x = RNG.normal(3, 2, size=(6, 4, 5, 3))
    y, _ = GroupNorm(groups=1).forward({"gamma": np.ones(6), "beta": np.zeros(6)}, x, TRAINING)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-13)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1, rtol=1e-5)


def test_large_pixels_do_not_drown_the_deviation_in_float32():
    x = (10_000 + RNG.normal(size=(4, 32, 32, 2))).astype(np.float32)
    params = {"gamma": np.ones(4, np.float32), "beta": np.zeros(4, np.float32)}
    single, _ = GroupNorm(groups=2).forward(params, x, TRAINING)
    double, _ = GroupNorm(groups=2).forward(params, x.astype(np.float64), TRAINING)
    np.testing.assert_allclose(single, double, atol=1e-3)  # μ is rounded to float32: 5e-4 of σ


def test_groups_that_do_not_fit_the_channels_are_refused():
    with pytest.raises(ShapeError, match=r"6 channels into 4 groups of one size: groups can be 1, 2, 3, 6"):
        GroupNorm(groups=4).output_shape((6, 3, 3))


def test_groups_of_a_single_value_are_refused():
    with pytest.raises(ShapeError, match=r"one value for each of 6 groups.*use fewer groups"):
        GroupNorm(groups=6).output_shape((6,))
