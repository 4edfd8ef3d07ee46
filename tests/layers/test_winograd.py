import numpy as np
import pytest

from cnnbp.layers import Context, Window, columns, strips, winograd


@pytest.mark.parametrize("rows", range(1, 7))
def test_two_products_more_than_rows_give_these_rows_and_the_gradient_of_three_weights(rows):
    rng = np.random.default_rng(0)
    w, x, dy = rng.normal(size=3), rng.normal(size=rows + 2), rng.normal(size=rows)
    (A, B), G = winograd.matrices(rows), winograd.G[: rows + 2]
    np.testing.assert_allclose(A.T @ ((G @ w) * (B @ x)), np.correlate(x, w), atol=2e-6)
    np.testing.assert_allclose(G.T @ ((B @ x) * (A @ dy)), np.correlate(x, dy), atol=2e-6)


SHAPES = [  # C, F, H, W, M, kernel, pad
    (16, 24, 8, 8, 16, (3, 3), ((1, 1), (1, 1))),  # two strips, and a tile of two rows
    (17, 16, 6, 12, 8, (3, 3), ((1, 1), (1, 1))),  # four strips
    (16, 18, 7, 5, 33, (3, 5), ((0, 2), (1, 3))),  # one strip, a tile of one row, unlike sides
    (16, 16, 3, 4, 32, (3, 1), ((2, 2), (0, 0))),
    (20, 16, 1, 6, 16, (3, 3), ((1, 1), (0, 2))),
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
        assert error <= 12 * np.finfo(np.float32).eps * exact.std()


def by_winograd(weights, x, dy, window):
    """Return (y, dx, dW) from float32."""
    (W, x, dy), M = (array.astype(np.float32) for array in (weights, x, dy)), x.shape[-1]
    ctx = Context()
    x_strips, dy_strips = strips.cut(x, ctx), strips.cut(dy, ctx)
    y, dx = np.empty_like(dy_strips), np.empty_like(x_strips)
    for rows, seen in winograd.tiles(x_strips, M, window, ctx):
        winograd.convolve(winograd.at_points(W), seen, y[rows], ctx)
    dW = winograd.gradients(W, x_strips, dy_strips, M, window, dx, ctx)
    return strips.join(y, M, ctx), strips.join(dx, M, ctx), dW
