"""Matrix products cut into tiles.

A BLAS library copies ("packs") both operands of a product before it multiplies them, which pays for large matrices.
OpenBLAS on AVX-512 multiplies small ones straight from where they lie, up to F·K·N = 10⁶ multiplications, and gets
nearer to the peak than it ever does with packing: so a large product is cut into such tiles.
"""

from functools import cache

import numpy as np

from cnnbp.arrays import Array
from cnnbp.fast.blas import unpacked_multiplications
from cnnbp.layers.base import Context

_TRANSPOSED_RESULTS = 1200  # up to so many results a·bᵀ is done without packing as well
_LANES = 16  # float32 numbers in a vector register: a tile that is no multiple of them wastes some
_SMALL = 2048  # numbers: below it calls cost more than sums
_ENOUGH_ROWS, _ENOUGH_COLUMNS = 32, 64  # a larger tile is no faster


def multiply(a: Array, b: Array, out: Array) -> None:
    """Write a·b to `out`: a (S or 1, F, K), b (S, K, N), out (S, F, N), or the same without S."""
    limit = unpacked_multiplications()
    if out.ndim == 2 and limit >= out.size * len(b):
        np.dot(a, b, out)  # which takes less time to start than matmul
        return
    (F, K), N = a.shape[-2:], b.shape[-1]
    f, n = _tile(F, K, N, limit)
    if (f, n) == (F, N):
        np.matmul(a, b, out=out)
        return
    # (…, F/f, N/n, f, n); splitting an axis never copies
    a_tiles = a.reshape(*a.shape[:-2], F // f, 1, f, K)
    b_tiles = b.reshape(*b.shape[:-2], 1, K, N // n, n).swapaxes(-3, -2)
    out_tiles = out.reshape(*out.shape[:-2], F // f, f, N // n, n).swapaxes(-3, -2)
    np.matmul(a_tiles, b_tiles, out=out_tiles)


def multiply_transposed(a: Array, b: Array, out: Array, ctx: Context) -> None:
    """Write a·bᵀ to `out`: a (S, F, K), b (S, N, K), out (S, F, N), or the same without S."""
    turned = b.swapaxes(-1, -2)
    if not unpacked_multiplications() or a.shape[-2] * b.shape[-2] <= _TRANSPOSED_RESULTS:
        multiply(a, turned, out)
        return
    with ctx.arena.scratch():
        near, far = ctx.empty(b.shape, b.dtype), ctx.empty(turned.shape, b.dtype)
        np.copyto(near, b)  # side by side: its columns would fall on the same lines of the first-level cache
        np.copyto(far, near.swapaxes(-1, -2))
        multiply(a, far, out)


def channel_sums(x: Array) -> Array:
    """Return the sum of each channel of x (C, …): (C,)."""
    flat = x.reshape(len(x), -1)
    return np.einsum("cn->c", flat) if flat.size > _SMALL else np.add.reduce(flat, axis=1)  # einsum adds 3× as fast


@cache
def _tile(F: int, K: int, N: int, limit: int) -> tuple[int, int]:
    """Return the (f, n) that divide F and N, stay within the limit and come nearest to what is enough."""
    if limit >= F * K * N:
        return F, N
    fitting = [
        (f, n)
        for f in _divisors(F, min(F, _LANES))
        for n in _divisors(N, min(N, 2 * _LANES))
        if f * K * n <= limit and (n % _LANES == 0 or n == N)
    ]
    if not fitting:
        return F, N
    return max(fitting, key=_rating)


def _rating(tile: tuple[int, int]) -> tuple[bool, int, int, int]:
    """Rate a tile: first whole pairs of vector registers, then its area as far as more is faster, then its columns."""
    f, n = tile
    columns = min(n, _ENOUGH_COLUMNS)
    return n % (2 * _LANES) == 0, min(f, _ENOUGH_ROWS) * columns, columns, f


def _divisors(number: int, smallest: int) -> list[int]:
    return [d for d in range(smallest, number + 1) if number % d == 0]
