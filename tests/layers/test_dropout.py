import numpy as np
import pytest
from pydantic import ValidationError

from cnnbp.layers import Context, Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_a_share_p_falls_and_the_mean_stays(p):
    y, _ = Dropout(p=p).forward({}, np.ones((100, 1000)), Context(training=True, stream=(0,)))
    assert set(np.unique(y)) == {0, 1 / (1 - p)}
    deviation = np.sqrt(p * (1 - p) / y.size)
    assert abs((y == 0).mean() - p) < 4 * deviation
    assert abs(y.mean() - 1) < 4 * deviation / (1 - p)


def test_the_gradient_falls_where_the_value_fell():
    ctx = Context(training=True, stream=(1,))
    y, cache = Dropout().forward({}, np.ones((4, 5)), ctx)
    dx, _ = Dropout().backward({}, cache, np.full((4, 5), 3.0), ctx)
    np.testing.assert_array_equal(dx, 3 * y)


def test_the_stream_alone_says_what_falls():
    def mask(stream: tuple[int, ...], x: np.ndarray) -> list[list[bool]]:
        y, _ = Dropout().forward({}, x, Context(training=True, stream=stream))
        return (y == 0).tolist()

    ones = np.ones((6, 7))
    assert mask((1, 2), ones) == mask((1, 2), 5 * ones) == mask((1, 2), ones.astype(np.float32))
    assert mask((1, 2), ones) != mask((2, 1), ones)


def test_after_training_x_passes_through_as_it_is():
    x = np.ones((4, 5))
    y, cache = Dropout().forward({}, x, Context(training=False))
    assert y is x
    assert Dropout().backward({}, cache, x, Context(training=False))[0] is x


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_shares_that_leave_nothing_or_are_none_are_refused(p):
    with pytest.raises(ValidationError):
        Dropout(p=p)
