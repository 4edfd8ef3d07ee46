import numpy as np
import pytest

from cnnbp.fast.pooled_conv import PooledConv2d, pools_at_once
from cnnbp.layers import Context, Conv2d, MaxPool2d

POOL = MaxPool2d(kernel=2)


def both_ways(conv, x, dtype=np.float64):
    """Return (y, dx, dW, db) of the convolution and a pool, one after the other and at once."""
    rng = np.random.default_rng(1)
    shapes = {name: spec.shape for name, spec in conv.parameters(x.shape[:-1]).items()}
    params = {name: rng.integers(-2, 3, shape).astype(dtype) for name, shape in shapes.items()}
    z, conv_cache = conv.forward(params, x, Context())
    y, pool_cache = POOL.forward({}, z, Context())
    dy = rng.integers(-3, 4, y.shape).astype(dtype)
    dz, _ = POOL.backward({}, pool_cache, dy, Context())
    dx, gradients = conv.backward(params, conv_cache, dz, Context())
    pooled = PooledConv2d(conv)
    y_at_once, cache = pooled.forward(params, x, Context())
    dx_at_once, gradients_at_once = pooled.backward(params, cache, dy, Context())
    return (y, dx, *gradients.values()), (y_at_once, dx_at_once, *gradients_at_once.values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("kernel", "pad", "channels", "size"),
    [
        ((3, 3), (1, 1), 1, (8, 6)),
        ((3, 3), (1, 1), 12, (8, 6)),
        ((5, 3), (0, 1), 12, (8, 6)),
        ((3, 5), (2, 3), 2, (4, 4)),
        ((1, 3), "same", 9, (4, 8)),
        ((2, 3), (1, 0), 9, (5, 8)),
        ((3, 3), (1, 1), 10, (40, 48)),  # several blocks
    ],
)
def test_whole_numbers_with_ties_give_the_same_bits_as_convolution_and_pool_one_after_the_other(
    kernel, pad, channels, size, dtype
):
    x = np.random.default_rng(2).integers(-1, 2, (channels, *size, 7)).astype(dtype)
    conv = Conv2d(filters=4, kernel=kernel, pad=pad)
    for apart, at_once in zip(*both_ways(conv, x, dtype), strict=True):
        np.testing.assert_array_equal(at_once, apart)


def test_of_tied_maxima_the_first_takes_the_gradient_everywhere_on_a_flat_image():
    conv = Conv2d(filters=2, kernel=3, pad=1, bias=False)
    for apart, at_once in zip(*both_ways(conv, np.ones((1, 8, 8, 5))), strict=True):
        np.testing.assert_array_equal(at_once, apart)


def test_a_window_of_nan_gives_its_gradient_to_its_last_place_as_the_pool_does():
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 5))
    x[0, 3, 3] = np.nan
    (_, _, _, db), (y, _, _, db_at_once) = both_ways(Conv2d(filters=2, kernel=3, pad=1), x)
    assert np.isnan(y).any()
    np.testing.assert_array_equal(db_at_once, db)


def test_nobody_reads_the_gradient_of_the_images_so_none_is_made():
    conv = Conv2d(filters=2, kernel=3, pad=1, bias=False)
    pooled, params = PooledConv2d(conv), {"W": np.ones((2, 3, 3, 3))}
    y, cache = pooled.forward(params, np.ones((3, 8, 8, 5)), Context())
    assert pooled.backward(params, cache, y, Context(wants_dx=False))[0] is None


@pytest.mark.parametrize(
    ("conv", "pool", "size"),
    [
        ({"kernel": 3, "pad": 1}, {"kernel": 2}, (15, 16)),  # an odd row is left
        ({"kernel": 3, "pad": 1}, {"kernel": 2}, (16, 15)),
        ({"kernel": 2}, {"kernel": 2}, (17, 17)),  # the columns of x do not come in pairs
        ({"kernel": 3, "pad": 1}, {"kernel": 2, "stride": 1}, (16, 16)),
        ({"kernel": 3, "pad": 1, "stride": 2}, {"kernel": 2}, (16, 16)),
        ({"kernel": 3, "pad": 1}, {"kernel": 2}, (4, 4)),  # so few places that im2col is faster
    ],
)
def test_other_pools_and_convolutions_are_done_one_after_the_other(conv, pool, size):
    filters = Conv2d(filters=4, **conv)
    assert pools_at_once(Conv2d(filters=4, kernel=3, pad=1), POOL, (16, 16, 16), 8)
    assert not pools_at_once(filters, MaxPool2d(**pool), (16, *size), 8)
