"""Processes that are copies of this one, and memory that they see in common."""

import mmap
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from math import prod
from pathlib import Path
from traceback import format_exception

import numpy as np
from numpy.typing import NDArray

CAN_FORK = sys.platform == "linux"  # elsewhere the system's own libraries do not bear it

_STDIN, _STDOUT, _STDERR = range(3)


def shared_zeros(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return memory that this process and those that it forks afterwards see in common.

    Raises OSError where the system has not so much to give.
    """
    size = prod(shape)
    return np.frombuffer(mmap.mmap(-1, size) if size else b"", np.uint8).reshape(shape)


def fork(work: Callable[[], None], descriptor: int) -> int:
    """Start a process that does the work and ends; return its id. Of all open files it keeps `descriptor` alone.

    It hears of no signal that can be blocked: Ctrl-C and the like, which reach a terminal's processes all at once, are
    for the one that the user started. Raises OSError where the system gives no process.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads' locks: the work needs none of them
            process = os.fork()
        if process == 0:
            _begin_anew(descriptor, work)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def end(process: int) -> None:
    """End a process that `fork` started, whatever it is doing."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    with suppress(ChildProcessError):  # where SIGCHLD is ignored, the system has forgotten it
        os.waitpid(process, 0)


def portable(error: Exception) -> Exception:
    """Return an exception that another process can read: itself, or what it says, and where it was raised as a note."""
    told = "".join(format_exception(error))
    try:
        pickle.dumps(copy(error))  # both make it anew from its arguments, which not every exception can be
    except Exception:
        return RuntimeError(told)
    error.add_note(told)
    return error


def _begin_anew(descriptor: int, work: Callable[[], None]) -> None:
    """Do the work as a process of its own. Nothing of what the other one wanted to do at its end happens here."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in {_STDIN, _STDOUT} - {descriptor}:
            os.dup2(nowhere, stream)
        for entry in Path("/proc/self/fd").iterdir():
            if int(entry.name) not in (_STDIN, _STDOUT, _STDERR, descriptor):
                with suppress(OSError):  # the list's own is closed by now
                    os.close(int(entry.name))
        work()
    finally:
        os._exit(0)
