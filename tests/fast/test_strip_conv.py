import numpy as np
import pytest

from cnnbp.fast.kernels import strips
from cnnbp.fast.strip_conv import StripConv2d, pools_in_strips, strips_of
from cnnbp.layers import Context, Conv2d, MaxPool2d

POOL = MaxPool2d(kernel=2)
CONV = Conv2d(filters=16, kernel=3, pad=1)


def one_after_the_other(conv, params, x, pools):
    """Return the convolution (and the pool) forward and backward as written, with dy drawn."""
    y, conv_cache = conv.forward(params, x, Context())
    z, pool_cache = POOL.forward({}, y, Context()) if pools else (y, None)
    dz = np.random.default_rng(3).normal(size=z.shape).astype(x.dtype)
    dy = POOL.backward({}, pool_cache, dz, Context())[0] if pools else dz
    return z, dz, *conv.backward(params, conv_cache, dy, Context())


@pytest.mark.parametrize("in_strips", [False, True])
@pytest.mark.parametrize("pools", [False, True])
@pytest.mark.parametrize(
    ("kernel", "shape"), [(3, (16, 6, 12, 16)), (5, (17, 10, 12, 32)), ((3, 5), (16, 8, 40, 8)), (3, (16, 4, 6, 41))]
)
@pytest.mark.parametrize("bias", [False, True])
def test_it_comes_to_what_convolution_and_pool_come_to_one_after_the_other(kernel, shape, pools, in_strips, bias):
    rng, (*input_shape, M) = np.random.default_rng(2), shape
    conv = Conv2d(filters=18, kernel=kernel, pad="valid" if M == 32 else "same", bias=bias)
    S = strips_of(conv, tuple(input_shape), M, np.float32)
    assert S * M >= 32
    x = rng.normal(size=shape).astype(np.float32)
    specs = conv.parameters(tuple(input_shape))
    params = {name: rng.normal(size=spec.shape).astype(np.float32) for name, spec in specs.items()}
    z, dz, dx, gradients = one_after_the_other(conv, params, x, pools)
    layer, ctx = StripConv2d(conv, tuple(input_shape), S, pools=pools, takes=in_strips, gives=in_strips), Context()
    cut = (lambda array: strips.cut(array, S, Context())) if in_strips else (lambda array: array)
    y, cache = layer.forward(params, cut(x), ctx)
    dx_got, got = layer.backward(params, cache, cut(dz), ctx)
    for name, wanted, result in (("y", cut(z), y), ("dx", cut(dx), dx_got), *((n, gradients[n], got[n]) for n in got)):
        np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-5 * abs(wanted).max(), err_msg=name)


def test_nobody_reads_the_gradient_of_the_images_so_none_is_made():
    layer = StripConv2d(CONV, (16, 8, 8), 2, pools=True, takes=False, gives=False)
    params = {"W": np.ones((16, 16, 3, 3), np.float32), "b": np.zeros(16, np.float32)}
    y, cache = layer.forward(params, np.ones((16, 8, 8, 8), np.float32), Context())
    assert layer.backward(params, cache, y, Context(wants_dx=False))[0] is None


@pytest.mark.parametrize(
    ("options", "shape", "M"),
    [
        ({"filters": 8}, (16, 16, 16), 8),  # few rows in the products
        ({}, (3, 16, 16), 8),
        ({}, (16, 16, 64), 2),  # small pixels
        ({"kernel": [2, 3], "pad": "same"}, (16, 16, 16), 8),  # two rows of weights
        ({"pad": 3}, (16, 16, 16), 32),  # windows that see nothing but padding
        ({"pad": 0}, (16, 16, 16), 8),  # strips as wide as x would not be strips of y
        ({"stride": 2}, (16, 16, 16), 8),
        ({"dilation": 2, "pad": 2}, (16, 16, 16), 8),
        ({"groups": 2}, (32, 16, 16), 8),
        ({}, (16, 16, 17), 8),  # strips do not divide the width
        ({}, (16, 16, 8), 4),  # strips narrower than a window
    ],
)
def test_other_convolutions_do_not_work_in_strips(options, shape, M):
    assert strips_of(CONV, (16, 16, 16), 8, np.float32) == 4
    assert strips_of(Conv2d(**{"filters": 16, "kernel": 3, "pad": 1, **options}), shape, M, np.float32) == 0


def test_float64_in_which_gradients_are_checked_does_not_work_in_strips():
    assert strips_of(CONV, (16, 16, 16), 8, np.float64) == 0


def test_a_strip_with_an_odd_row_or_column_is_not_pooled_at_once():
    assert pools_in_strips(CONV, POOL, (16, 16, 16), 4)
    assert not pools_in_strips(CONV, POOL, (16, 15, 16), 4)
    assert not pools_in_strips(CONV, POOL, (16, 16, 12), 4)
    assert not pools_in_strips(CONV, MaxPool2d(kernel=3), (16, 16, 16), 4)
