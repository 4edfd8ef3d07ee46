"""Which folder becomes a run's, and that no other process trains in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from cnnbp.errors import CheckpointError, ConfigError
from cnnbp.training.files import PARTIAL
from cnnbp.training.run_directory import CHECKPOINTS, RunDirectory

_STARTED_WITH = {CHECKPOINTS, "split.csv", "environment.json", "metrics.csv", "metrics.jsonl", "config.yaml"}


@contextmanager
def new_run_directory(wanted: Path | None, name: str) -> Iterator[RunDirectory]:
    """Make `wanted`, or the first of runs/NAME, runs/NAME-2, … that is free, and claim it.

    Raises ConfigError where `wanted` holds something already, CheckpointError where it cannot be made.
    """
    try:
        path = _first_free(Path("runs") / name) if wanted is None else _made(wanted)
    except OSError as error:
        raise CheckpointError(f"cannot make the run directory {error.filename!r}: {error.strerror}") from error
    with claimed(RunDirectory(path)) as directory:
        refuse_used(path)
        try:
            (path / CHECKPOINTS).mkdir(exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"cannot write into {str(path)!r}: {error.strerror}") from error
        yield directory


def refuse_used(path: Path) -> None:
    """Raise ConfigError unless a folder is free for a new run.

    It is where it is not there, is empty, or was given up before its config.yaml, the last file of a start.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise ConfigError(f"{str(path)!r} is no folder: choose another --run")
    names = {entry.name.removesuffix(PARTIAL) for entry in path.iterdir()}
    if RunDirectory(path).config.exists() or not names <= _STARTED_WITH:
        raise ConfigError(f"{str(path)!r} is there already: choose another --run, or go on with --resume {path}")


@contextmanager
def claimed(directory: RunDirectory) -> Iterator[RunDirectory]:
    """Keep other processes from training in a run directory for as long as this one does.

    The system forgets the claim with the process. Raises CheckpointError where another one holds it.
    """
    if os.name != "posix":
        yield directory
        return
    import fcntl

    try:
        descriptor = os.open(directory.path, os.O_RDONLY)
    except OSError as error:
        raise CheckpointError(f"cannot open {str(directory.path)!r}: {error.strerror}") from error
    try:
        with suppress(OSError):  # some network disks have no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CheckpointError(f"another process is training in {str(directory.path)!r}") from error
        yield directory
    finally:
        os.close(descriptor)


def _first_free(first: Path) -> Path:
    first.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = first if number == 1 else first.with_name(f"{first.name}-{number}")
        with suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError("numbers do not end")


def _made(path: Path) -> Path:
    refuse_used(path)
    path.mkdir(parents=True, exist_ok=True)
    return path
