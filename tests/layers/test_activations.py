import numpy as np
import pytest

from cnnbp.layers import ELU, GELU, Context, Layer, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh

FAR_LEFT, AT_0, FAR_RIGHT = -1000.0, 0.0, 1000.0


@pytest.mark.parametrize(
    ("layer", "values", "slopes"),
    [
        (ReLU(), (0, 0, 1000), (0, 0, 1)),  # at 0 the slope is taken as 0
        (LeakyReLU(slope=0.25), (-250, 0, 1000), (0.25, 0.25, 1)),  # at 0 the left one
        (ELU(alpha=0.5), (-0.5, 0, 1000), (0, 0.5, 1)),  # at 0 the left one, α·e⁰
        (GELU(), (0, 0, 1000), (0, 0.5, 1)),
        (SiLU(), (0, 0, 1000), (0, 0.5, 1)),
        (Sigmoid(), (0, 0.5, 1), (0, 0.25, 0)),
        (Tanh(), (-1, 0, 1), (0, 1, 0)),
    ],
    ids=lambda value: value.type if isinstance(value, Layer) else "",
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_slopes_at_zero_and_far_out(layer, values, slopes, dtype):
    x = np.array([[FAR_LEFT, AT_0, FAR_RIGHT]], dtype)
    y, cache = layer.forward({}, x, Context())
    dx, _ = layer.backward({}, cache, np.ones_like(y), Context())
    np.testing.assert_allclose(y, [values], atol=1e-12)
    np.testing.assert_allclose(dx, [slopes], atol=1e-12)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_gelu_keeps_its_digits_left_of_0_where_1_plus_tanh_cancels(dtype, rtol):
    x = np.array([[-2.0, -4.0, -6.0]], dtype)
    u = 2 * np.sqrt(2 / np.pi) * (np.abs(x.astype(float)) + 0.044715 * np.abs(x.astype(float)) ** 3)
    s = np.exp(-u) / (1 + np.exp(-u))  # (1 + tanh(−u/2))/2
    slope = s + x * s * (1 - s) * 2 * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x.astype(float) ** 2)
    y, cache = GELU().forward({}, x, Context())
    dx, _ = GELU().backward({}, cache, np.ones_like(y), Context())
    np.testing.assert_allclose(y, x * s, rtol=rtol)
    np.testing.assert_allclose(dx, slope, rtol=rtol)


@pytest.mark.parametrize("layer", [ReLU(), LeakyReLU(slope=0.25), ELU()], ids=lambda layer: layer.type)
def test_given_pieces_are_continued_to_the_other_side_of_zero(layer):
    left, right = np.array([[False]]), np.array([[True]])
    x = np.array([[0.5]])
    assert layer.forward_on({}, x, right, Context()) == x
    assert layer.forward_on({}, -x, right, Context()) == -x
    continued = layer.forward_on({}, x, left, Context())
    np.testing.assert_allclose(continued, {"relu": 0, "leaky_relu": 0.125, "elu": np.expm1(0.5)}[layer.type])
