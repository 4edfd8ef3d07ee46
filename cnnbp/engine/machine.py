"""What the engine asks of the machine: its cores, one of them for each product, and warnings that stay unsaid."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Lock
from typing import Any, Literal, cast

import numpy as np

from cnnbp.fast.blas import blas

OVERFLOWING = np.errstate(over="ignore", invalid="ignore")  # no warnings: who asked looks at the numbers

# NumPy copies operands that lie in runs of fewer numbers, which takes longer than to work on them where they lie. Sums
# are made buffer by buffer, so all threads have the same.
BUFFER = 2048


_FILTERS: Counter[tuple[Any, ...]] = Counter()  # how many threads are inside each
_FILTERS_LOCK = Lock()


@contextmanager
def warnings_filtered(
    action: Literal["ignore", "error"], category: type[Warning], *, message: str = "", module: str = ""
) -> Iterator[None]:
    """Ignore or raise some warnings while a thread is in here: in all threads, of which any number may be.

    `warnings.catch_warnings` puts back, at its end, what another thread's has changed in the meantime.
    """
    with _FILTERS_LOCK:
        warnings.filterwarnings(action, message, category, module)
        entry = warnings.filters[0]
        _FILTERS[entry] += 1
    try:
        yield
    finally:
        with _FILTERS_LOCK:
            _FILTERS[entry] -= 1
            if not _FILTERS[entry]:
                del _FILTERS[entry]
                with suppress(ValueError):  # it has gone with a catch_warnings of someone else's
                    cast("list[Any]", warnings.filters).remove(entry)


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which every product runs on the thread that asks for it."""
    return blas().limit(limits=1, user_api="blas")
