"""Arrays in an .npz file that can be trusted: equal arrays give equal bytes, and a damaged file is refused.

Members are stored uncompressed, so that none can claim more than the file has; times are fixed; the last member is a
checksum of all others. `np.load` reads the files too.
"""

import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from math import prod
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.errors import CheckpointError
from cnnbp.files import opened, written_whole

_CHECKSUM = "checksum.npy"
_DIGEST_BYTES = 32
_LONGEST_HEADER = 4096  # bytes of an .npy header; ours have 128
_CHUNK = 1 << 20
_START_OF_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that zip knows


def write_archive(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write the arrays beside `path`, flush them to disk, and rename. Raises CheckpointError where that fails."""
    checksum = blake2b(digest_size=_DIGEST_BYTES)
    with written_whole(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            _write_member(archive, f"{name}.npy", array, checksum)
        digest = np.frombuffer(checksum.digest(), np.uint8)
        _write_member(archive, _CHECKSUM, digest, blake2b())


def _write_member(archive: zipfile.ZipFile, name: str, array: Array, checksum: blake2b) -> None:
    header = io.BytesIO()
    array = np.asarray(array, order="C")
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    checksum.update(name.encode())
    with archive.open(_member(name), "w", force_zip64=array.nbytes >= zipfile.ZIP64_LIMIT // 2) as member:
        for part in (header.getvalue(), array.reshape(-1).data):
            checksum.update(part)
            member.write(part)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _START_OF_TIME)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


class ArchiveReader:
    """Reads an archive that `write_archive` wrote; opening it verifies the checksum.

    Raises CheckpointError for a file that is damaged or something else. Memory stays below the file's own size.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._refusing(), ExitStack() as stack:
            file = stack.enter_context(opened(path))
            self.size = os.fstat(file.fileno()).st_size
            self._archive = stack.enter_context(zipfile.ZipFile(file))
            self._members = {info.filename: info for info in self._archive.infolist()}
            self._verify()
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def names(self) -> set[str]:
        """The names of all arrays."""
        return {name.removesuffix(".npy") for name in self._members if name != _CHECKSUM}

    def read(self, name: str, dtype: str, shape: Shape) -> Array:
        """Return an array that must have this dtype and shape, which is looked at before memory is taken."""
        with self._refusing():
            return self._read(f"{name}.npy", dtype, shape)

    def read_bytes(self, name: str) -> bytes:
        """Return a vector of bytes of any length."""
        with self._refusing(), self._archive.open(f"{name}.npy") as member:
            _, (size,) = _header(member)
            return self._read(f"{name}.npy", "|u1", (size,)).tobytes()

    def _read(self, name: str, dtype: str, shape: Shape) -> Array:
        with self._archive.open(name) as member:
            found = _header(member)
            if found != (dtype, shape):
                raise ValueError(f"{name} is {found[0]} {found[1]}, not {dtype} {shape}")
            if self._members[name].file_size - member.tell() != prod(shape) * np.dtype(dtype).itemsize:
                raise ValueError(f"{name} has another size than its header says")
            return np.frombuffer(member.read(), dtype).reshape(shape)

    def _verify(self) -> None:
        checksum = blake2b(digest_size=_DIGEST_BYTES)
        if sum(info.file_size for info in self._members.values()) > self.size:
            raise ValueError("its members claim more bytes than the file has")
        for name, info in self._members.items():
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is compressed")
            if name != _CHECKSUM:
                checksum.update(name.encode())
                for part in self._parts(info):
                    checksum.update(part)
        if self._read(_CHECKSUM, "|u1", (_DIGEST_BYTES,)).tobytes() != checksum.digest():
            raise ValueError("the checksum does not match")

    def _parts(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        with self._archive.open(info) as member:
            while part := member.read(_CHUNK):
                yield part

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise CheckpointError(f"there is no checkpoint {str(self.path)!r}") from error
        except Exception as error:  # zipfile and struct have a dozen errors for damaged files
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise CheckpointError(f"{str(self.path)!r} is damaged, or no checkpoint: {reason}") from error


def _header(member: IO[bytes]) -> tuple[str, Shape]:
    """Read an .npy header: dtype and shape. Objects, and with them pickles, are refused."""
    if np.lib.format.read_magic(member) != (1, 0):
        raise ValueError("not the .npy format's version 1.0")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(member, max_header_size=_LONGEST_HEADER)
    if dtype.hasobject or fortran_order:
        raise ValueError("holds Python objects or another memory order")
    return dtype.str, shape
