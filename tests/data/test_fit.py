import numpy as np
import pytest
from PIL import Image

from cnnbp.data.fit import FITS


def columns(width, height):
    """An image whose grey level is its column."""
    return Image.fromarray(np.tile(np.arange(width, dtype=np.uint8), (height, 1)))


def test_stretch_uses_the_whole_image():
    fitted = np.asarray(FITS["stretch"](columns(200, 50), (100, 100), 0))
    np.testing.assert_allclose(fitted[:, 1:-1], np.tile(np.arange(1, 99) * 2 + 0.5, (100, 1)), atol=1)


def test_crop_keeps_the_proportions_and_the_middle():
    fitted = np.asarray(FITS["crop"](columns(200, 50), (50, 50), 0))
    np.testing.assert_array_equal(fitted, np.tile(np.arange(75, 125), (50, 1)))


def test_pad_keeps_everything_and_fills_with_the_background():
    fitted = np.asarray(FITS["pad"](columns(200, 50), (100, 100), 9))
    assert (fitted[:37] == 9).all()
    assert (fitted[62:] == 9).all()
    np.testing.assert_allclose(fitted[40, 1:-1], np.arange(1, 99) * 2 + 0.5, atol=1)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 5)])
def test_any_size_fits(fit, size):
    assert FITS[fit](columns(*size), (6, 4), 0).size == (6, 4)
