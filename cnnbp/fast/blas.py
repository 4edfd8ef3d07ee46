"""The BLAS library that NumPy multiplies with, and how it does so."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_WITHOUT_PACKING = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # OpenBLAS kernels for AVX-512


@cache
def blas() -> "ThreadpoolController":
    """Return what knows the library's threads and its kernels."""
    from threadpoolctl import ThreadpoolController  # needed where something is computed, not at every start

    return ThreadpoolController()


@cache
def unpacked_multiplications() -> int:
    """Return up to how many multiplications this library does a product without packing; 0 for never."""
    return 10**6 if any(library.get("architecture") in _WITHOUT_PACKING for library in blas().info()) else 0
