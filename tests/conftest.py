"""What holds for every test."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from cnnbp.engine import one_blas_thread

settings.register_profile("cnnbp", deadline=None)  # a test must not fail because the machine is busy
settings.load_profile("cnnbp")

for _name in ("COLUMNS", "LINES"):  # readline puts them into the environment behind Python's back
    os.environ.pop(_name, None)
    os.unsetenv(_name)

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell starts what runs in the background like that
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _one_blas_thread() -> Iterator[None]:
    """Let products here, which are small, run on one thread: several take longer to wake, most of all side by side."""
    with one_blas_thread():
        yield
