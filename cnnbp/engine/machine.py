"""What the engine asks of the machine: its cores, and one of them for each product."""

import os
from contextlib import AbstractContextManager

import numpy as np

from cnnbp.fast.blas import blas

OVERFLOWING = np.errstate(over="ignore", invalid="ignore")  # no warnings: who asked looks at the numbers

# NumPy copies operands that lie in runs of fewer numbers, which takes longer than to work on them where they lie. Sums
# are made buffer by buffer, so all threads have the same.
BUFFER = 2048


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which every product runs on the thread that asks for it."""
    return blas().limit(limits=1, user_api="blas")
