"""Files on disk as the files that are in them: a zip's or a tar's members, or the one file, decompressed where it is.

Everything is read as a stream and counted as it comes, whatever is claimed before.
"""

import bz2
import gzip
import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_IFDIR, S_IFMT, S_IFREG
from typing import Any, BinaryIO

from cnnbp.data.imports.names import Names, safe_parts
from cnnbp.errors import DataError
from cnnbp.files import opened

MOST_FILES = 2_000_000  # of a source
MOST_BYTES = 64 << 30  # unpacked
MOST_TIMES = 200  # what a source may grow to when it is unpacked, once it is more than
HARMLESS = 256 << 20  # bytes
CHUNK = 1 << 20

_LARGEST_READ = 16 << 20  # bytes at once: whoever wants more reads a header that claims too much
_BLOCK = 512  # of a tar
_LARGEST_DIRECTORY = 64 << 20  # bytes of a zip's list of files, which Python reads whole: more than half a million
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA's memory is the file's to choose
_ENCRYPTED = 0x1


class Bounded:
    """A stream of which no more than `limit` bytes are read, and few at a time. Raises DataError."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream, self._limit = stream, limit

    def read(self, size: int = CHUNK) -> bytes:
        """Read at most so many bytes."""
        if not 0 <= size <= _LARGEST_READ:
            raise DataError(f"a header claims {size:,} bytes, which none has")
        data: bytes = self._stream.read(size)
        self._require_within(self._stream.tell())
        return data

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, from the start or from here."""
        position += self._stream.tell() if whence == os.SEEK_CUR else 0
        self._require_within(position)
        return int(self._stream.seek(position))

    def tell(self) -> int:
        """Return how many bytes lie before this place."""
        return int(self._stream.tell())

    def peek(self, size: int) -> bytes:
        """Return the next bytes without taking them."""
        data = self.read(size)
        self.seek(-len(data), os.SEEK_CUR)
        return data

    def seekable(self) -> bool:
        """Say that it can go to any place."""
        return True

    def _require_within(self, position: int) -> None:
        if position > self._limit:
            raise DataError(f"it unpacks to more than {self._limit:,} bytes, which is too much for its size")


@dataclass(frozen=True)
class Member:
    """A regular file in a source: its name, a path that stays inside a folder, the bytes that it claims, its content.

    The content is there until the next member is asked for. `size` is None where only reading it to its end tells.
    """

    name: str
    size: int | None
    content: Bounded


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn whatever is wrong with a source into a DataError that names it."""
    try:
        yield
    except Exception as error:  # tarfile, zipfile, zlib and struct have dozens of errors for damaged files
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"cannot import {str(path)!r}: {reason}") from error


def members(path: Path) -> Iterator[Member]:
    """Yield the files in a source, every name and claim checked first. Raises DataError."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        limit = min(MOST_BYTES, max(HARMLESS, MOST_TIMES * size))
        if not size:
            raise DataError("the file is empty")
        if is_zip(file):
            yield from _zip_members(file, limit)
            return
        name, stream = _decompressed(path.name, file, limit)
        if _is_tar(stream.peek(_BLOCK)):
            yield from _tar_members(stream, limit)
            while stream.read():  # to the end, where a checksum is
                pass
        else:
            yield Member("/".join(safe_parts(name)), size if name == path.name else None, stream)


def is_zip(file: BinaryIO) -> bool:
    """Tell whether a file begins as a zip archive; leaves it at its start."""
    head = file.read(4)
    file.seek(0)
    return head in (b"PK\x03\x04", b"PK\x05\x06")


def open_zip(file: BinaryIO) -> zipfile.ZipFile:
    """Open a zip archive. Raises DataError for a list of files that would take much memory.

    How large it is stands near the end (PKWARE's APPNOTE, 4.3.14 and 4.3.16).
    """
    file.seek(max(0, file.seek(0, os.SEEK_END) - 66_000))
    tail = file.read()
    file.seek(0)
    for magic, place, width in ((b"PK\x05\x06", 12, 4), (b"PK\x06\x06", 40, 8)):
        start = tail.rfind(magic)
        claimed = int.from_bytes(tail[start + place : start + place + width], "little") if start >= 0 else 0
        if claimed != 0xFFFF_FFFF and claimed > _LARGEST_DIRECTORY:
            raise DataError(f"its list of files has {claimed:,} bytes; a tar may have as many files")
    return zipfile.ZipFile(file)


def unpacked(member: Member) -> Member:
    """Return a member whose content is decompressed where it is a .gz or .bz2."""
    name, content = _decompressed(member.name, member.content, MOST_TIMES * max(member.size or 0, CHUNK))
    return member if name == member.name else Member(name, None, content)


def _decompressed(name: str, file: Any, limit: int) -> tuple[str, Bounded]:
    """Return a stream's content and its name without .gz or .bz2."""
    plain = Bounded(file, limit)
    head = plain.peek(3)
    if head[:2] == b"\x1f\x8b":
        return _without(name, (".gz", ".gzip", ".tgz")), Bounded(gzip.GzipFile(fileobj=file), limit)
    if head == b"BZh":
        return _without(name, (".bz2", ".tbz2", ".tbz")), Bounded(bz2.BZ2File(file), limit)
    return name, plain


def _without(name: str, endings: tuple[str, ...]) -> str:
    ending = next((ending for ending in endings if name.lower().endswith(ending)), "")
    return name[: -len(ending)] if ending else f"{name} unpacked"


def _is_tar(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class _Claims:
    """Counts the files that a source has, and the bytes that they claim. Raises DataError for too much of either."""

    def __init__(self, limit: int) -> None:
        self.names, self.files, self.bytes, self.limit = Names(), 0, 0, limit

    def entry(self, name: str, size: int, *, is_folder: bool) -> str:
        """Count an entry and return its name, cleaned."""
        parts = safe_parts(name)
        self.files += 1
        self.bytes += size
        if self.files > MOST_FILES:
            raise DataError(f"it has more than {MOST_FILES:,} files")
        if size < 0 or self.bytes > self.limit:
            raise DataError(f"its files claim {self.bytes:,} bytes; {self.limit:,} would be too much for its size")
        if not is_folder:
            if not parts:
                raise DataError(f"{name!r} is no name of a file")
            self.names.add(parts)
        return "/".join(parts)


def _zip_members(file: BinaryIO, limit: int) -> Iterator[Member]:
    with open_zip(file) as archive:
        claims, found = _Claims(limit), []
        for info in archive.infolist():
            _check_zip_entry(info)
            name = claims.entry(info.orig_filename, info.file_size, is_folder=info.is_dir())
            if not info.is_dir():
                found.append((name, info))
        for name, info in found:
            with archive.open(info) as content:
                yield Member(name, info.file_size, Bounded(content, info.file_size))


def _check_zip_entry(info: zipfile.ZipInfo) -> None:
    kind = S_IFMT(info.external_attr >> 16)
    if kind not in (0, S_IFREG, S_IFDIR):
        raise DataError(f"{info.filename!r} is a link or a device")
    if info.flag_bits & _ENCRYPTED:
        raise DataError(f"{info.filename!r} is encrypted")
    if info.compress_type not in _COMPRESSIONS:
        raise DataError(f"{info.filename!r} is compressed in another way than zip's usual one")


def _tar_members(stream: Bounded, limit: int) -> Iterator[Member]:
    claims, end = _Claims(limit), -1
    file: Any = stream  # tarfile asks for read, seek and tell
    with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        while info := archive.next():
            vars(archive)["members"] = []  # else all of them are kept
            if archive.offset <= end:
                raise DataError(f"{info.name!r} has a size that leads backwards")
            end = archive.offset
            if info.issparse() or not (info.isreg() or info.isdir()):
                raise DataError(f"{info.name!r} is a link, a device or a file with holes")
            name = claims.entry(info.name, info.size, is_folder=info.isdir())
            if not info.isdir():
                yield Member(name, info.size, Bounded(archive.extractfile(info), info.size))
        stream.seek(archive.offset)
        if stream.read(_BLOCK) != bytes(_BLOCK):  # tarfile takes a damaged header for the end
            raise DataError("it is cut off, or damaged")
