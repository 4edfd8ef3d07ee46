"""The process that runs damaged files, and what it tells its parent through shared memory."""

import ctypes
import importlib
import os
import resource
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from cnnbp.data.opening import muted_pillow
from cnnbp.errors import CnnbpError

LONGEST = 5.0  # seconds of work for one file
ADDRESS_SPACE = 8 << 30  # bytes: a runaway allocation fails instead of taking the machine down


@dataclass(frozen=True)
class Finding:
    """A case that went wrong, and how."""

    case: int
    what: str


class Progress(ctypes.Structure):
    """What a worker is doing. `accepted` counts the damaged files that were good enough, `slowest` is in seconds
    of CPU, which other processes do not lengthen, and `peak` in bytes."""

    _fields_ = (
        ("case", ctypes.c_int64),
        ("done", ctypes.c_int64),
        ("accepted", ctypes.c_int64),
        ("slowest", ctypes.c_double),
        ("peak", ctypes.c_int64),
    )


def target(name: str) -> ModuleType:
    """Return the module of a kind of file: seeds(), damaged(files, rng) and run(path)."""
    return importlib.import_module(f"tests.fuzz.{name}")


def content_of(name: str, seed: int, case: int, files: list[bytes]) -> bytes:
    """Return the damaged file of a case; it depends on nothing but its number."""
    return target(name).damaged(files, Random(f"{seed}/{name}/{case}"))


def work(name: str, seed: int, cases: range, folder: str, progress: Any, findings: "Queue[Finding]") -> None:
    """Run cases one after the other; stdout and stderr go to a file that should stay empty."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    noise = os.open(Path(folder) / f"noise-{cases.start}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(noise, 1)
    os.dup2(noise, 2)
    files, path = target(name).seeds(), Path(folder) / f"case-{os.getpid()}.png"
    run = target(name).run
    with muted_pillow():
        for case in cases:
            path.write_bytes(content_of(name, seed, case, files))
            progress.case = case
            signal.setitimer(signal.ITIMER_PROF, LONGEST)  # then SIGPROF ends the process, whatever it is in
            started = time.process_time()
            try:
                run(path)
                progress.accepted += 1
            except CnnbpError:
                pass
            except BaseException:
                findings.put(Finding(case, traceback.format_exc()))
            progress.slowest = max(progress.slowest, time.process_time() - started)
            progress.done += 1
            progress.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT


_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
