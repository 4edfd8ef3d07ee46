import numpy as np
import pytest

from cnnbp.data.decode import ImageFormat
from cnnbp.data.folder import scan_folder
from cnnbp.data.normalize import Normalization
from cnnbp.data.store import decode_split
from cnnbp.errors import DataError
from tests.data.images import noise, save

FORMAT = ImageFormat(channels=3, height=4, width=5)


def colour_images(tmp_path, count=7):
    for number in range(count):
        save(tmp_path / "a" / f"{number}.png", noise(4, 5, 3, seed=number))
    return decode_split(scan_folder(tmp_path).splits["train"], FORMAT)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_become_normalised_numbers_with_the_batch_last(dtype):
    pixels = noise(7, 3, 4, 5)
    x = Normalization((0.1, 0.2, 0.3), (0.5, 0.6, 0.7)).apply(pixels, dtype)
    assert (x.shape, x.dtype) == ((3, 4, 5, 7), dtype)
    assert x.flags.c_contiguous
    expected = (pixels / 255 - np.reshape([0.1, 0.2, 0.3], (3, 1, 1))) / np.reshape([0.5, 0.6, 0.7], (3, 1, 1))
    np.testing.assert_allclose(x, expected.transpose(1, 2, 3, 0), rtol=10 * np.finfo(dtype).eps, atol=1e-7)


def test_auto_gives_each_channel_mean_0_and_deviation_1(tmp_path):
    images = colour_images(tmp_path)
    x = Normalization.of(images).apply(images.pixels, np.float64)
    np.testing.assert_allclose(x.mean(axis=(1, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=(1, 2, 3)), 1)


def test_auto_looks_only_at_the_images_it_is_given_in_any_order(tmp_path):
    images = colour_images(tmp_path)
    some = Normalization.of(images, np.array([1, 2, 5]))
    assert some == Normalization.of(images, np.array([5, 1, 2]))
    np.testing.assert_allclose(some.mean, images.pixels[[1, 2, 5]].mean(axis=(0, 2, 3)) / 255)


def test_a_channel_without_spread_is_an_error(tmp_path):
    save(tmp_path / "a" / "1.png", np.full((4, 5, 3), 7, np.uint8))
    with pytest.raises(DataError, match="channel 0, which is 0: all pixels are the same"):
        Normalization.of(decode_split(scan_folder(tmp_path).splits["train"], FORMAT))


def test_one_value_serves_all_channels():
    assert Normalization.uniform(2, 0.5, 0.25) == Normalization((0.5, 0.5), (0.25, 0.25))


def test_auto_over_no_images_is_an_error(tmp_path):
    images = colour_images(tmp_path, 1)
    with pytest.raises(DataError, match="no images to measure"):
        Normalization.of(images, np.arange(0))
