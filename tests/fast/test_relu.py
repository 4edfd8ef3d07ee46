import numpy as np

from cnnbp.fast.relu import InPlaceReLU
from cnnbp.layers import Context


def test_it_works_in_place_where_it_may_and_only_there():
    x = np.array([[-1.0, 2.0]])
    y, _ = InPlaceReLU().forward({}, x, Context())
    assert not np.shares_memory(x, y)
    y, cache = InPlaceReLU().forward({}, x, Context(may_overwrite=True))
    assert y is x
    dy = np.array([[3.0, 5.0]])
    dx, _ = InPlaceReLU().backward({}, cache, dy, Context(may_overwrite=True))
    assert dx is dy
    np.testing.assert_array_equal(dx, [[0.0, 5.0]])
