import numpy as np
import pytest

from cnnbp.fast.kernels import phases
from cnnbp.layers import Context


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("M", [1, 3, 8])
def test_phases_are_the_even_and_the_odd_columns_and_merge_to_what_was_split(M, dtype):
    x = np.random.default_rng(0).normal(size=(3, 5, 8, M)).astype(dtype)
    even, odd = parts = phases.split(x, Context())
    np.testing.assert_array_equal(even, x[:, :, 0::2])
    np.testing.assert_array_equal(odd, x[:, :, 1::2])
    merged = np.empty_like(x)
    phases.merge(parts, merged)
    np.testing.assert_array_equal(merged, x)
