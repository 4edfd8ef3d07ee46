"""The processes that a process has forked, and the memory that they hold. Linux only."""

import os
import re
from pathlib import Path

PRIVATE = ("Private_Clean", "Private_Dirty")  # kinds of memory that a process shares with no other


def children(process: int | None = None) -> set[int]:
    """Return the ids of those that are there, of this process or another."""
    parent = process or os.getpid()
    return set(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


def held(process: int, *kinds: str) -> int:
    """Return the bytes of a process's memory that are of some kinds."""
    found = re.findall(rf"^(?:{'|'.join(kinds)}): +(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.M)
    return 1024 * sum(map(int, found))
