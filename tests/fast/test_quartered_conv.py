import numpy as np
import pytest

from cnnbp.fast.kernels import strips
from cnnbp.fast.quartered_conv import QuarteredConv2d, fits_in_cache
from cnnbp.layers import Context, Conv2d, MaxPool2d

POOL = MaxPool2d(kernel=2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("channels", "size", "options"),
    [
        (1, (8, 6), {"kernel": 3, "pad": 1}),
        (3, (8, 6), {"kernel": 3, "pad": "same"}),
        (2, (6, 8), {"kernel": [5, 3], "pad": [0, 1]}),
        (1, (4, 4), {"kernel": 1}),
    ],
)
def test_whole_numbers_with_ties_give_the_same_bits_as_convolution_and_pool_one_after_the_other(
    channels, size, options, bias, dtype
):
    rng, conv = np.random.default_rng(2), Conv2d(filters=4, bias=bias, **options)
    x = rng.integers(-1, 2, (channels, *size, 7)).astype(dtype)
    shapes = {name: spec.shape for name, spec in conv.parameters(x.shape[:-1]).items()}
    params = {name: rng.integers(-2, 3, shape).astype(dtype) for name, shape in shapes.items()}
    z, conv_cache = conv.forward(params, x, Context())
    y, pool_cache = POOL.forward({}, z, Context())
    dy = rng.integers(-3, 4, y.shape).astype(dtype)
    _, gradients = conv.backward(params, conv_cache, POOL.backward({}, pool_cache, dy, Context())[0], Context())
    quartered = QuarteredConv2d(conv, x.shape[:-1], x.shape[-1])
    y_at_once, cache = quartered.forward(params, x, Context())
    dx, gradients_at_once = quartered.backward(params, cache, dy, Context())
    assert dx is None
    np.testing.assert_equal((y_at_once, gradients_at_once), (y, gradients))


def test_for_a_convolution_in_strips_it_writes_and_reads_strips():
    rng, conv, ctx = np.random.default_rng(3), Conv2d(filters=4, kernel=3, pad=1), Context()
    x, dy = rng.normal(size=(1, 4, 16, 7)), rng.normal(size=(4, 2, 8, 7))
    params = {"W": rng.normal(size=(4, 1, 3, 3)), "b": rng.normal(size=4)}
    whole, in_strips = (QuarteredConv2d(conv, (1, 4, 16), 7, gives=S) for S in (0, 2))
    y, cache = whole.forward(params, x, ctx)
    y_strips, strips_cache = in_strips.forward(params, x, ctx)
    np.testing.assert_array_equal(y_strips, strips.cut(y, 2, ctx))
    (_, wanted), (_, got) = (
        whole.backward(params, cache, dy, ctx),
        in_strips.backward(params, strips_cache, strips.cut(dy, 2, ctx), ctx),
    )
    np.testing.assert_equal(got, wanted)


def test_it_is_for_few_channels_and_images_that_fit_in_cache_together():
    conv = Conv2d(filters=16, kernel=3, pad=1)
    assert fits_in_cache(conv, (1, 8, 8), 64)
    assert not fits_in_cache(conv, (1, 8, 8), 128)
    assert not fits_in_cache(conv, (2, 8, 8), 8)  # more columns than filters
