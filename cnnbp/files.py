"""Files that are there as a whole or not at all, that are files, and whose cells are what they look like."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EBUSY, EINVAL, EISDIR
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import IO, BinaryIO

from cnnbp.errors import CheckpointError

_WAIT_FOR_NO_ONE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

# Control characters, what hides text or turns it round, a quote that would be taken for JSON's, and formulas, which a
# spreadsheet sees after what separates cells, too. Bytes that are no UTF-8 do nothing, and stay.
_CONTROL = r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
_ACTED_ON = re.compile(_CONTROL + r"|^\"|(^|[;|])[\s\"]*[=+\-@＝＋－＠]")
_OPERATOR = re.compile("[=+@-]")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")

PARTIAL = ".partial"  # behind the name of a file that is not whole yet


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write; it gets its name once all of it is on disk. What was there before stays until then.

    Raises CheckpointError where writing fails.
    """
    beside, mine = path.parent / f"{path.name}{PARTIAL}", None
    try:
        if not path.name or path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        beside.unlink(missing_ok=True)  # left by a process that was killed; or a link to who knows what
        with beside.open("xb") as file:
            mine = os.fstat(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
            if not _is_still(beside, mine):
                raise OSError(EBUSY, "another process is writing it")
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):  # on a read-only disk there is none, and even so this fails
            if _is_still(beside, mine):
                beside.unlink()
        raise CheckpointError(f"cannot write {str(path)!r}: {error.strerror}") from error


def _is_still(path: Path, made: os.stat_result | None) -> bool:
    """Whether the file that was made here still has this name, and no other process has taken it."""
    try:
        return made is not None and os.path.samestat(path.lstat(), made)
    except FileNotFoundError:
        return False


def opened(path: Path, flags: int = os.O_RDONLY) -> BinaryIO:
    """Open a regular file; by default to read it. Raises OSError, also for whatever is none, without waiting for it."""
    descriptor = os.open(path, flags | _WAIT_FOR_NO_ONE, 0o666)
    try:
        mode = os.fstat(descriptor).st_mode
        if S_ISDIR(mode):
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
        if not S_ISREG(mode):
            raise OSError(EINVAL, "it is no regular file", str(path))
        return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "ab")
    except BaseException:
        os.close(descriptor)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 file. Raises CheckpointError where that fails."""
    with written_whole(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))  # as file names are decoded


def csv_cell(name: str) -> str:
    """Return a name as a cell of a CSV file: itself, or JSON where a terminal or a spreadsheet would act on it."""
    if not _ACTED_ON.search(name) or _NUMBER.fullmatch(name):
        return name
    return _OPERATOR.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(name))


def name_in(cell: str) -> str:
    """Return the name that `csv_cell` wrote. Raises ValueError."""
    return str(json.loads(cell)) if cell.startswith('"') else cell


def _sync_folder(folder: Path) -> None:
    """Put a rename on disk, where the system lets a folder be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
