import pytest

from cnnbp.fast.pooled_conv import pools_at_once
from cnnbp.layers import Conv2d, MaxPool2d

POOL = MaxPool2d(kernel=2)


@pytest.mark.parametrize(
    ("conv", "pool", "size"),
    [
        ({"kernel": 3, "pad": 1}, {"kernel": 2}, (15, 16)),  # an odd row is left
        ({"kernel": 3, "pad": 1}, {"kernel": 2}, (16, 15)),
        ({"kernel": 2}, {"kernel": 2}, (17, 17)),  # the columns of x do not come in pairs
        ({"kernel": 3, "pad": 1}, {"kernel": 2, "stride": 1}, (16, 16)),
        ({"kernel": 3, "pad": 1, "stride": 2}, {"kernel": 2}, (16, 16)),
        ({"kernel": 3, "pad": 1}, {"kernel": 2}, (4, 4)),  # so few places that im2col is faster
    ],
)
def test_other_pools_and_convolutions_are_done_one_after_the_other(conv, pool, size):
    filters = Conv2d(filters=4, **conv)
    assert pools_at_once(Conv2d(filters=4, kernel=3, pad=1), POOL, (16, 16, 16), 8)
    assert not pools_at_once(filters, MaxPool2d(**pool), (16, *size), 8)
