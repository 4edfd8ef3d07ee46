from cnnbp.fast.quartered_conv import fits_in_cache
from cnnbp.layers import Conv2d, MaxPool2d

POOL = MaxPool2d(kernel=2)


def test_it_is_for_few_channels_and_images_that_fit_in_cache_together():
    conv = Conv2d(filters=16, kernel=3, pad=1)
    assert fits_in_cache(conv, (1, 8, 8), 64)
    assert not fits_in_cache(conv, (1, 8, 8), 128)
    assert not fits_in_cache(conv, (2, 8, 8), 8)  # more columns than filters
