"""Files that are there as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cnnbp.errors import CheckpointError

PARTIAL = ".partial"  # behind the name of a file that is not whole yet


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write; it gets its name once all of it is on disk. What was there before stays until then.

    Raises CheckpointError where writing fails.
    """
    beside = path.with_name(path.name + PARTIAL)
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):  # on a read-only disk there is none, and even so this fails
            beside.unlink()
        raise CheckpointError(f"cannot write {str(path)!r}: {error.strerror}") from error


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 file. Raises CheckpointError where that fails."""
    with written_whole(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))  # as file names are decoded


def _sync_folder(folder: Path) -> None:
    """Put a rename on disk, where the system lets a folder be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
