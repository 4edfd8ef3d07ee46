import numpy as np
import pytest

from cnnbp.layers import Context, strips


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("M", "S", "W"), [(8, 4, 12), (16, 2, 6), (13, 3, 9), (32, 1, 5), (40, 1, 2)])
def test_strips_lie_side_by_side_like_images_and_join_to_what_was_cut(M, S, W, dtype):
    x = np.random.default_rng(0).normal(size=(3, 5, W, M)).astype(dtype)
    assert strips.strips_for(M) == S
    cut = strips.cut(x, Context())
    assert cut.shape == (5, W // S, 3, S * M)
    for s in range(S):
        strip = x[:, :, s * W // S : (s + 1) * W // S]  # (C, H, W/S, M)
        np.testing.assert_array_equal(cut[..., s * M : (s + 1) * M], strip.transpose(1, 2, 0, 3))
    np.testing.assert_array_equal(strips.join(cut, M, Context()), x)
