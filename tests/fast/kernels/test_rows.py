import numpy as np
import pytest

from cnnbp.fast.kernels.convolve import COLUMNS, ROWS
from cnnbp.layers import Context, Window


@pytest.mark.parametrize(
    ("kernel", "pad", "size", "channels", "filters", "M"),
    [
        (5, 0, 14, 6, 16, 64),  # LeNet's second: the blocks of dy's windows are narrower than their padding
        (5, 4, 3, 32, 16, 64),
        (7, 6, 4, 32, 32, 128),
        (5, 2, 28, 1, 6, 64),
        (3, 1, 32, 32, 32, 8),
    ],
)
def test_blocks_of_rows_come_to_what_whole_columns_come_to(kernel, pad, size, channels, filters, M):
    rng = np.random.default_rng(0)
    window = Window((kernel, kernel), (1, 1), ((pad, pad), (pad, pad)))
    out = size + 2 * pad - kernel + 1
    W = rng.normal(size=(filters, channels, kernel, kernel))
    x, dy = rng.normal(size=(channels, size, size, M)), rng.normal(size=(filters, out, out, M))
    y, dx, dW = {}, {}, {}
    for kind in (ROWS, COLUMNS):
        y[kind.name], dx[kind.name] = np.empty_like(dy), np.empty_like(x)
        kind.correlate(W, x, window, y[kind.name], Context())
        dW[kind.name] = kind.gradients(W, x, dy, window, dx[kind.name], Context())
    for tensor in (y, dx, dW):
        np.testing.assert_allclose(tensor["rows"], tensor["columns"], rtol=0, atol=1e-12 * abs(tensor["rows"]).max())
