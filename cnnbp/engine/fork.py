"""Processes that are copies of this one, and memory that they see in common."""

import mmap
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from math import prod
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnbp.engine.machine import warnings_filtered

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CAN_FORK = sys.platform == "linux"  # elsewhere the system's own libraries do not bear it

_STDIN, _STDOUT, _STDERR = range(3)


def shared_zeros(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return memory that this process and those that it forks afterwards see in common.

    Raises OSError where the system has not so much to give.
    """
    size = prod(shape)
    return np.frombuffer(mmap.mmap(-1, size) if size else b"", np.uint8).reshape(shape)


@dataclass(frozen=True)
class Child:
    """A process that is a copy of this one, and the pipe to it."""

    process: int
    pipe: "Connection"
    parent: int

    def end(self) -> None:
        """End it, whatever it is doing; in a copy of the parent that somebody else has forked, only let go of it."""
        self.pipe.close()
        if os.getpid() != self.parent:
            return
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        with suppress(ChildProcessError):  # where SIGCHLD is ignored, the system has forgotten it
            os.waitpid(self.process, 0)


def fork(work: "Callable[[Connection], None]") -> Child:
    """Start a process that does the work, given its end of the pipe, and ends. Of all open files it keeps that alone.

    It hears of no signal that can be blocked: Ctrl-C and the like, which reach a terminal's processes all at once, are
    for the one that the user started. Raises OSError where the system gives no process.
    """
    from multiprocessing.connection import Pipe  # of which few commands have need

    mine, others = Pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with others, warnings_filtered("ignore", DeprecationWarning, module=r"cnnbp\.engine\.fork"):
            # which is of other threads' locks: the work needs none of them
            process = os.fork()
            if process == 0:
                _begin_anew(work, others)
    except BaseException:
        mine.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Child(process, mine, os.getpid())


LOST = "has been ended, perhaps for lack of memory; fewer --threads need less of it"  # of a process that is no more


def received(pipe: "Connection") -> Any:
    """Return what another process sends. Raises what it raised, if it is that, and EOFError if it is no more."""
    answer = pipe.recv()
    if isinstance(answer, BaseException):
        raise answer
    return answer


@contextmanager
def ended_if_not_all() -> Iterator[list[Child]]:
    """Give a list for children; where something goes wrong before there are all of them, end those that there are."""
    children: list[Child] = []
    try:
        yield children
    except BaseException:
        for child in children:
            child.end()
        raise


def portable(error: Exception) -> Exception:
    """Return an exception that another process can read: itself, or what it says, and where it was raised as a note."""
    told = "".join(format_exception(error))
    try:
        pickle.dumps(copy(error))  # both make it anew from its arguments, which not every exception can be
    except Exception:
        return RuntimeError(told)
    error.add_note(told)
    return error


def _begin_anew(work: "Callable[[Connection], None]", pipe: "Connection") -> None:
    """Do the work as a process of its own. Nothing of what the other one wanted to do at its end happens here."""
    try:
        _let_go_of_files(pipe.fileno())
        work(pipe)
    except OSError as error:
        pipe.send(portable(error))
    finally:
        os._exit(0)


def _let_go_of_files(kept: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in {_STDIN, _STDOUT} - {kept}:
        os.dup2(nowhere, stream)
    for entry in Path("/proc/self/fd").iterdir():
        if int(entry.name) not in (_STDIN, _STDOUT, _STDERR, kept):
            with suppress(OSError):  # the list's own is closed by now
                os.close(int(entry.name))
