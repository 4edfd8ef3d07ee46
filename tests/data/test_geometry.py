import numpy as np
import pytest

from cnnbp.arrays import Arena
from cnnbp.data.geometry import blocks, cut, read_between
from tests.data.images import noise

PIXELS = noise(3, 2, 5, 4)  # (m, C, H, W)


def test_a_piece_is_cut_out_of_each_image_at_its_own_corner():
    pieces = cut(PIXELS, np.array([0, 2, 1]), np.array([1, 0, 1]), (3, 3))
    expected = [PIXELS[0, :, :3, 1:], PIXELS[1, :, 2:, :3], PIXELS[2, :, 1:4, 1:]]
    np.testing.assert_array_equal(pieces, expected)


@pytest.mark.parametrize("size", [(5, 4), (1, 4), (5, 1), (1, 1)])
def test_between_pixels_the_four_neighbours_are_weighed(size):
    height, width = size
    pixels, rng = noise(3, 2, height, width), np.random.default_rng(1)
    rows = rng.uniform(0, height - 1, (3, 9, 8)).astype(np.float32)
    columns = rng.uniform(0, width - 1, (3, 9, 8)).astype(np.float32)
    read = read_between(pixels, rows.copy(), columns.copy(), Arena())
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
    np.testing.assert_array_equal(read_between(PIXELS, *places, Arena()), PIXELS)


@pytest.mark.parametrize("shape", [(7, 3, 64, 64), (1000, 1, 8, 8), (2, 3, 500, 500), (0, 1, 8, 8)])
def test_blocks_cover_every_image_once(shape):
    pixels = np.empty(shape, np.uint8)
    assert sum(len(pixels[block]) for block in blocks(pixels)) == len(pixels)
