import numpy as np
import pytest
from pydantic import ValidationError

from cnnbp.errors import ShapeError
from cnnbp.layers import Context, Conv2d


def test_it_is_a_cross_correlation_the_kernel_is_not_flipped():
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1] = 1
    W = np.arange(9.0).reshape(1, 1, 3, 3)
    y, _ = Conv2d(filters=1, kernel=3, pad=1, bias=False).forward({"W": W}, x, Context())
    np.testing.assert_array_equal(y[0, :, :, 0], [[8, 7, 6], [5, 4, 3], [2, 1, 0]])


@pytest.mark.parametrize(
    ("options", "output"),
    [
        ({"kernel": 3}, (8, 26, 30)),
        ({"kernel": 3, "pad": 1}, (8, 28, 32)),
        ({"kernel": (5, 3), "stride": (2, 1), "pad": (2, 0)}, (8, 14, 30)),
        ({"kernel": 2, "stride": 3, "pad": "same"}, (8, 10, 11)),
        ({"kernel": 3, "dilation": 2}, (8, 24, 28)),
        ({"kernel": 3, "pad": "valid"}, (8, 26, 30)),
    ],
)
def test_output_sizes(options, output):
    assert Conv2d(filters=8, **options).output_shape((4, 28, 32)) == output


def test_its_products_are_counted_per_image():
    assert Conv2d(filters=8, kernel=(3, 2)).macs((4, 5, 6)) == 8 * (3 * 5) * (4 * 3 * 2)
    assert Conv2d(filters=8, kernel=(3, 2), groups=4).macs((4, 5, 6)) == 8 * (3 * 5) * (1 * 3 * 2)


def test_its_weight_is_shrunk_and_its_bias_is_not():
    specs = Conv2d(filters=6, kernel=(3, 2), groups=2).parameters((4, 5, 6))
    W, b = specs["W"], specs["b"]
    assert (W.shape, W.fan_in, W.fan_out, W.decays) == ((6, 2, 3, 2), 2 * 6, 3 * 6, True)
    assert (b.shape, b.fill, b.decays) == ((6,), 0.0, False)
    assert Conv2d(filters=6, kernel=3, bias=False).parameters((4, 5, 6)).keys() == {"W"}


def test_a_kernel_that_does_not_fit_is_told_with_the_arithmetic():
    with pytest.raises(ShapeError, match=r'conv2d "c": kernel 5×3 stride 2 does not fit its input 1×2×9 \(.*2\+1\+1−5'):
        Conv2d(name="c", filters=1, kernel=(5, 3), stride=2, pad=1).output_shape((1, 2, 9))
    with pytest.raises(ShapeError, match=r"dilation 3 does not fit .* \(⌊\(6−7\)/1⌋\+1 = 0\)"):
        Conv2d(filters=1, kernel=3, dilation=3).output_shape((1, 6, 9))


def test_a_flat_input_is_refused():
    with pytest.raises(ShapeError, match=r'conv2d "c" needs feature maps .* its input is 12×M, already flattened'):
        Conv2d(name="c", filters=1, kernel=1).output_shape((12,))


def test_groups_must_divide_channels_and_filters():
    with pytest.raises(ShapeError, match="3 groups do not divide the 4 channels"):
        Conv2d(filters=6, kernel=1, groups=3).output_shape((4, 5, 5))
    with pytest.raises(ValidationError, match=r"filters \(4\) must be divisible by groups \(3\)"):
        Conv2d(filters=4, kernel=1, groups=3)


@pytest.mark.parametrize("options", [{"kernel": 0}, {"stride": 0}, {"pad": -1}, {"dilation": 0}, {"pad": "full"}])
def test_sizes_that_mean_nothing_are_refused(options):
    with pytest.raises(ValidationError):
        Conv2d.model_validate({"filters": 1, "kernel": 1} | options)


@pytest.mark.parametrize("M", [16, 48, 64, 80])
def test_a_block_that_ends_beyond_the_edge_takes_zeros_from_there(M):
    """Backward through 5×5 without padding pads by 4: the last block may be narrower than that."""
    layer, rng = Conv2d(filters=16, kernel=5), np.random.default_rng(0)
    params = {"W": rng.normal(size=(16, 6, 5, 5)), "b": rng.normal(size=16)}
    x, dy = rng.normal(size=(6, 14, 14, M)), rng.normal(size=(16, 10, 10, M))
    dx, _ = layer.backward(params, layer.forward(params, x, Context())[1], dy, Context())
    for m in (0, M - 1):
        image = np.ascontiguousarray(x[..., m : m + 1])
        one, _ = layer.backward(
            params, layer.forward(params, image, Context())[1], dy[..., m : m + 1].copy(), Context()
        )
        np.testing.assert_allclose(dx[..., m : m + 1], one, rtol=1e-10, atol=1e-12)
