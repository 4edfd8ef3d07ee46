import numpy as np
import pytest

from cnnbp.fast.kernels import columns, strips, winograd
from cnnbp.layers import Context, Window


@pytest.mark.parametrize(
    ("rows", "kernel_rows"), [(rows, k) for k in winograd.KERNEL_ROWS for rows in range(1, winograd.tile_rows(k) + 1)]
)
def test_few_products_give_rows_of_output_and_the_gradient_of_rows_of_weights(rows, kernel_rows):
    rng = np.random.default_rng(0)
    w, x, dy = rng.normal(size=kernel_rows), rng.normal(size=rows + kernel_rows - 1), rng.normal(size=rows)
    A, B, G = winograd.matrices(rows, kernel_rows)
    assert len(A) == rows + kernel_rows - 1
    np.testing.assert_allclose(A.T @ ((G @ w) * (B @ x)), np.correlate(x, w), atol=1e-5)
    np.testing.assert_allclose(G.T @ ((B @ x) * (A @ dy)), np.correlate(x, dy), atol=1e-5)


@pytest.mark.parametrize(("kernel_rows", "rows"), [(3, 6), (4, 4), (5, 4), (6, 2), (7, 2)])
def test_a_tile_has_as_many_rows_as_eight_points_allow_but_an_even_number(kernel_rows, rows):
    assert winograd.tile_rows(kernel_rows) == rows
    assert len(winograd.matrices(rows, kernel_rows)[0]) <= 8


SHAPES = [  # C, F, H, W, M, kernel, pad
    (16, 24, 8, 8, 16, (3, 3), ((1, 1), (1, 1))),  # two strips, and a tile of two rows
    (17, 16, 6, 12, 8, (3, 3), ((1, 1), (1, 1))),  # four strips
    (16, 18, 7, 5, 33, (3, 5), ((0, 2), (1, 3))),  # one strip, a tile of one row, unlike sides
    (16, 16, 3, 4, 32, (3, 1), ((2, 2), (0, 0))),
    (20, 16, 1, 6, 16, (3, 3), ((1, 1), (0, 2))),
    (16, 16, 11, 7, 32, (5, 5), ((2, 2), (0, 0))),
    (16, 16, 9, 6, 32, (4, 2), ((0, 3), (1, 1))),
    (16, 16, 7, 8, 40, (7, 3), ((3, 3), (0, 0))),
    (16, 17, 15, 3, 64, (3, 3), ((1, 1), (1, 1))),  # a tile of three rows
]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_rounding_of_float32_stays_within_a_few_units_of_a_typical_number(shape):
    C, F, H, W, M, kernel, pad = shape
    rng, window = np.random.default_rng(0), Window(kernel, (1, 1), pad)
    x, weights = rng.normal(size=(C, H, W, M)), rng.normal(size=(F, C, *kernel))
    y = np.empty((F, *window.positions((H, W)), M))
    dy, dx = rng.normal(size=y.shape), np.empty_like(x)
    columns.correlate(weights, x, window, y, Context())
    dW = columns.gradients(weights, x, dy, window, dx, Context())
    for got, exact in zip(by_winograd(weights, x, dy, window), (y, dx, dW), strict=True):
        assert got.dtype == np.float32
        error = np.sqrt(np.mean((got - exact) ** 2))
        assert error <= 20 * np.finfo(np.float32).eps * exact.std()


def by_winograd(weights, x, dy, window):
    """Return (y, dx, dW) from float32."""
    W, x, dy = (array.astype(np.float32) for array in (weights, x, dy))
    S, ctx = -(-32 // x.shape[-1]), Context()
    x_strips, dy_strips = strips.cut(x, S, ctx), strips.cut(dy, S, ctx)
    y, dx = np.empty_like(dy_strips), np.empty_like(x_strips)
    for rows, seen in winograd.tiles(x_strips, S, window, ctx):
        winograd.convolve(winograd.at_points(W), seen, y[rows], ctx)
    dW = winograd.gradients(W, x_strips, dy_strips, S, window, dx, ctx)
    return strips.join(y, S, ctx), strips.join(dx, S, ctx), dW
