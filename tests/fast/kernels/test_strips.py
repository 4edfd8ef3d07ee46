import numpy as np
import pytest

from cnnbp.fast.kernels import strips
from cnnbp.layers import Context


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("M", "S", "W"), [(8, 4, 12), (16, 2, 6), (13, 3, 9), (32, 1, 5), (40, 1, 2)])
def test_strips_lie_side_by_side_like_images_and_join_to_what_was_cut(M, S, W, dtype):
    x = np.random.default_rng(0).normal(size=(3, 5, W, M)).astype(dtype)
    cut = strips.cut(x, S, Context())
    assert cut.shape == (5, W // S, 3, S * M)
    for s in range(S):
        strip = x[:, :, s * W // S : (s + 1) * W // S]  # (C, H, W/S, M)
        np.testing.assert_array_equal(cut[..., s * M : (s + 1) * M], strip.transpose(1, 2, 0, 3))
    np.testing.assert_array_equal(strips.join(cut, S, Context()), x)


@pytest.mark.parametrize(
    ("M", "W", "S"),
    [
        (32, 17, 1),
        (16, 32, 2),
        (13, 32, 4),  # three do not divide the width
        (4, 100, 10),
        (4, 25, 5),  # not enough, but as many as can be
        (8, 12, 4),
        (8, 8, 2),  # four would be narrower than a window
        (1, 2, 1),
    ],
)
def test_there_are_just_so_many_strips_that_images_side_by_side_are_enough(M, W, S):
    assert strips.strips_for(M, W, 3) == S
