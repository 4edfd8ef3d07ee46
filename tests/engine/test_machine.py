"""Warnings that do not matter, while many threads come and go."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from cnnbp.engine.machine import warnings_filtered


def warn():
    warnings.warn_explicit("of fork", DeprecationWarning, "fork.py", 1, module="cnnbp.engine.fork")


def test_many_threads_ignore_a_warning_and_leave_the_filters_as_they_were():
    threads, before = 3, list(warnings.filters)
    together = Barrier(threads)

    def work(_):
        for _ in range(300):
            together.wait()
            with warnings_filtered("ignore", DeprecationWarning, module=r"cnnbp\.engine\.fork"):
                warn()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    assert list(warnings.filters) == before
    with pytest.raises(DeprecationWarning):
        warn()


def test_only_what_is_named_is_ignored_or_raised():
    with warnings_filtered("ignore", UserWarning, message="Glyph .* missing"):
        warnings.warn("Glyph 3 missing from font", UserWarning, stacklevel=1)
        with pytest.raises(UserWarning):
            warnings.warn("another", UserWarning, stacklevel=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with warnings_filtered("error", UserWarning), pytest.raises(UserWarning):
            warnings.warn("raised", UserWarning, stacklevel=1)


def test_an_outer_context_that_puts_its_filters_back_does_no_harm():
    inner = warnings_filtered("ignore", UserWarning)
    with warnings.catch_warnings():
        inner.__enter__()
    inner.__exit__(None, None, None)
    with pytest.raises(UserWarning):
        warnings.warn("told", UserWarning, stacklevel=1)
