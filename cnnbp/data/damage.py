"""What is wrong with an image file and passes Pillow: bytes that were changed, and work without end."""

import re
from collections.abc import Iterator
from typing import BinaryIO
from zlib import crc32

from cnnbp.errors import DataError

_MOST_SCANS = 100  # photographs have about ten
_SHORTEST_SCAN = 10  # bytes
_BEARABLE = 2_500_000_000  # pixels in all scans, which take a second or two
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # with a length behind it, or the end
_BLOCK = 1 << 20


def check_png(file: BinaryIO) -> None:
    """Verify the checksums of the pixel data, which Pillow does not read. Raises DataError."""
    file.seek(len(b"\x89PNG\r\n\x1a\n"))
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind != b"IDAT":
            file.seek(length + 4, 1)
            continue
        checksum = crc32(kind)
        for block in _blocks(file, length):
            checksum = crc32(block, checksum)
        if file.read(4) != checksum.to_bytes(4, "big"):
            raise DataError("its pixel data is damaged or cut off: a PNG checksum does not match")


def check_jpeg(file: BinaryIO, file_size: int, pixels: int) -> None:
    """Count the scans of a JPEG: each may rewrite all pixels in ten bytes. Raises DataError.

    A small file can take hours: issue LJT-01-003 in libjpeg-turbo.org, "Two Issues with the JPEG Standard".
    """
    if file_size // _SHORTEST_SCAN * pixels <= _BEARABLE:
        return
    file.seek(0)
    content, scans, at = file.read(), 0, 0
    while (marker := _MARKER.search(content, at)) and marker[0] != _END_OF_IMAGE:
        length = int.from_bytes(content[marker.end() : marker.end() + 2], "big")
        at = marker.end() + length
        scans += marker[0] == _START_OF_SCAN
    if scans > _MOST_SCANS:
        raise DataError(f"{scans} scans would take too long to decode; at most {_MOST_SCANS} are accepted")


def _blocks(file: BinaryIO, length: int) -> Iterator[bytes]:
    """Read `length` bytes, or what there is of them, in blocks: a header may claim any length."""
    while length and (block := file.read(min(length, _BLOCK))):
        yield block
        length -= len(block)
