"""What this machine does in large matrix products: the limit of direct convolution."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cnnbp.arrays import Array

_SIZE = 1024
GEMM_FLOPS = 2 * _SIZE**3


def gemm(threads: int) -> Callable[[], object]:
    """Return what does one product on each of `threads` cores: `threads` · GEMM_FLOPS operations."""
    rng = np.random.default_rng(0)
    operands = [rng.normal(size=(3, _SIZE, _SIZE)).astype(np.float32) for _ in range(threads)]
    if threads == 1:
        return lambda: _multiply(operands[0])
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(_multiply, operands))


def _multiply(abc: Array) -> None:
    np.matmul(abc[0], abc[1], out=abc[2])
