import numpy as np

from cnnbp.layers import Context, Flatten


def test_features_come_channel_by_channel_and_row_by_row():
    x = np.arange(12.0).reshape(2, 2, 3, 1)
    y, cache = Flatten().forward({}, x, Context())
    np.testing.assert_array_equal(y[:, 0], range(12))
    dx, _ = Flatten().backward({}, cache, y, Context())
    np.testing.assert_array_equal(dx, x)


def test_nothing_is_copied():
    x = np.zeros((2, 3, 4, 5))
    y, _ = Flatten().forward({}, x, Context())
    assert np.shares_memory(x, y)
