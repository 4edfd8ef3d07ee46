import numpy as np
import pytest

from cnnbp.data.geometry import blocks, read_between, read_pixels
from tests.data.images import noise

PIXELS = noise(3, 2, 5, 4)  # (m, C, H, W)


def test_pixels_are_read_row_by_row_and_column_by_column_of_each_image():
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, 5, (3, 7)), rng.integers(0, 4, (3, 6))
    read = read_pixels(PIXELS, rows, columns)
    expected = np.stack([image[:, rows[m]][:, :, columns[m]] for m, image in enumerate(PIXELS)])
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("size", [(5, 4), (1, 4), (5, 1), (1, 1)])
def test_between_pixels_the_four_neighbours_are_weighed(size):
    height, width = size
    pixels, rng = noise(3, 2, height, width), np.random.default_rng(1)
    rows = rng.uniform(0, height - 1, (3, 9, 8)).astype(np.float32)
    columns = rng.uniform(0, width - 1, (3, 9, 8)).astype(np.float32)
    read = read_between(pixels, rows, columns)
    for m in range(3):
        for y in range(9):
            for x in range(8):
                wanted = bilinear(pixels[m].astype(float), float(rows[m, y, x]), float(columns[m, y, x]))
                np.testing.assert_allclose(read[m, :, y, x], wanted, atol=0.501)


def bilinear(image, row, column):
    """Weigh every pixel by how near it is."""
    near = [np.clip(1 - np.abs(np.arange(n) - at), 0, 1) for n, at in zip(image.shape[1:], (row, column), strict=True)]
    return np.einsum("chw,h,w->c", image, *near)


def test_whole_places_give_the_pixels_themselves():
    rows, columns = np.broadcast_arrays(np.arange(5)[:, None], np.arange(4))
    places = [np.tile(at, (3, 1, 1)).astype(np.float32) for at in (rows, columns)]
    np.testing.assert_array_equal(read_between(PIXELS, *places), PIXELS)


@pytest.mark.parametrize("shape", [(7, 3, 64, 64), (1000, 1, 8, 8), (2, 3, 500, 500), (0, 1, 8, 8)])
def test_blocks_cover_every_image_once(shape):
    pixels = np.empty(shape, np.uint8)
    assert sum(len(pixels[block]) for block in blocks(pixels)) == len(pixels)
