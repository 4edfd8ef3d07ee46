import numpy as np
import pytest

from cnnbp.fast.kernels import products
from cnnbp.fast.kernels.products import _tile, multiply, multiply_transposed
from cnnbp.layers import Context

LIMIT = 10**6


@pytest.mark.parametrize("unpacked", [0, 5000, LIMIT])  # whole, in tiles, whole
@pytest.mark.parametrize(("F", "K", "N"), [(32, 9, 224), (12, 5, 30), (1, 3, 64), (17, 4, 48)])
def test_a_product_in_tiles_is_the_product(F, K, N, unpacked, monkeypatch):
    monkeypatch.setattr(products, "unpacked_multiplications", lambda: unpacked)
    rng = np.random.default_rng(0)
    a, b = rng.integers(-3, 4, (1, F, K)).astype(np.float32), rng.integers(-3, 4, (2, K, N)).astype(np.float32)
    out, transposed = np.empty((2, F, N), np.float32), np.empty((2, F, N), np.float32)
    multiply(a, b, out)
    np.testing.assert_array_equal(out, a @ b)
    multiply_transposed(np.repeat(a, 2, 0), b.swapaxes(1, 2).copy(), transposed, Context())
    np.testing.assert_array_equal(transposed, a @ b)


@pytest.mark.parametrize("F", [1, 6, 16, 32, 96])
@pytest.mark.parametrize("N", [64, 100, 224, 448, 512])
def test_tiles_divide_the_product_and_stay_small_enough_to_need_no_packing(F, N):
    f, n = _tile(F, 288, N, LIMIT)
    assert F % f == N % n == 0
    assert f * 288 * n <= LIMIT or (f, n) == (F, N)


def test_the_first_product_above_is_cut_into_tiles():
    assert _tile(32, 9, 224, 5000) == (16, 32)


def test_a_tile_has_whole_pairs_of_vector_registers_where_it_can():
    assert _tile(64, 288, 224, LIMIT) == (64, 32)
    assert _tile(32, 288, 256, LIMIT) == (32, 64)
