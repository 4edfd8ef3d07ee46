"""What the engine asks of the machine: its cores, and how its BLAS library works."""

import os
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

OVERFLOWING = np.errstate(over="ignore", invalid="ignore")  # no warnings: who asked looks at the numbers

# NumPy copies operands that lie in runs of fewer numbers, which takes longer than to work on them where they lie. Sums
# are made buffer by buffer, so all threads have the same.
BUFFER = 2048

_WITHOUT_PACKING = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # OpenBLAS kernels for AVX-512


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which every product runs on the thread that asks for it."""
    return _blas().limit(limits=1, user_api="blas")


@cache
def unpacked_multiplications() -> int:
    """Return up to how many multiplications this BLAS library does a product without packing; 0 for never."""
    return 10**6 if any(library.get("architecture") in _WITHOUT_PACKING for library in _blas().info()) else 0


@cache
def _blas() -> "ThreadpoolController":
    from threadpoolctl import ThreadpoolController  # needed where something is computed, not at every start

    return ThreadpoolController()
