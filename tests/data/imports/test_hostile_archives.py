"""Archives that want to write elsewhere, or more than there is: each is refused, and nothing has been written."""

import bz2
import gzip
import io
import stat
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from cnnbp.data.imports import containers
from cnnbp.data.imports.importing import import_files
from cnnbp.errors import DataError
from tests.data.imports.made import folders, idx, noise, png, tar, zipped

GOOD = folders("a/1.png", "b/1.png")


def entry(name, kind, **fields):
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def tarred(*entries):
    return lambda path: tar(path, [*GOOD, *((info, b"") for info in entries)])


def named(name):
    return lambda path: tar(path, [*GOOD, (name, png())])


def zip_named(name):
    return lambda path: zipped(path, [*GOOD, (name, png())])


def zip_link(path):
    info = zipfile.ZipInfo("a/link.png")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return zipped(path, [*GOOD, (info, b"/etc/passwd")])


def patched(path, before, after, count=-1):
    """Write a zip of GOOD with some of its bytes replaced."""
    content = zipped(path, GOOD, zipfile.ZIP_STORED).read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after, count))
    return path


def encrypted(path):
    content = bytearray(zipped(path, GOOD).read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + flags] |= 1
    path.write_bytes(content)
    return path


def lying_size(path):
    """Write a zip that claims 16 bytes for an image that unpacks to many."""
    content = bytearray(zipped(path, GOOD).read_bytes())
    for header, size in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(header) + size
        content[place : place + 4] = struct.pack("<I", 16)
    path.write_bytes(content)
    return path


def declared(size):
    def make(path):
        content = bytearray(zipped(path, GOOD).read_bytes())
        place = content.index(b"PK\x01\x02") + 24
        content[place : place + 4] = struct.pack("<I", size)
        path.write_bytes(content)
        return path

    return make


def overlapping(path):
    """Write a zip whose every entry is the same compressed megabytes (Fifield 2019, "A better zip bomb")."""
    entries = [*GOOD, *((f"a/{n}.png", bytes(1 << 20)) for n in range(2, 30))]
    content = bytearray(zipped(path, entries).read_bytes())
    first, place = content.index(b"a/2.png") - 30, 0
    while (place := content.find(b"PK\x01\x02", place)) >= 0:
        content[place + 42 : place + 46] = struct.pack("<I", first)
        place += 4
    path.write_bytes(content)
    return path


def damaged_tar(place, after):
    def make(path):
        content = bytearray(tar(path, GOOD, "w").read_bytes())
        content[place : place + len(after)] = after
        path.write_bytes(content)
        return path

    return make


def cut(make, size):
    def shorter(path):
        content = make(path).read_bytes()
        path.write_bytes(content[:size])
        return path

    return shorter


def pax(**headers):
    def make(path):
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            for name, content in GOOD:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                info.pax_headers = {key.replace("_", "."): value for key, value in headers.items()}
                archive.addfile(info, io.BytesIO(content))
        return path

    return make


def huge_header(path):
    """Write a tar whose extended header claims 8 GB, which a reader would take into memory."""
    info = entry("x", tarfile.XHDTYPE, size=(8 << 30) - 512)
    path.write_bytes(info.tobuf() + bytes(4096))
    return path


def backwards(path):
    """Write a tar with a negative size, which some readers go round in circles for (CVE-2025-8194)."""
    block = entry("a/3.png", tarfile.REGTYPE, size=-1024).tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(tar(path, GOOD, "w").read_bytes()[:2048] + block + bytes(2048))
    return path


def nested_headers(path):
    path.write_bytes(entry("x", tarfile.GNUTYPE_LONGNAME, size=0).tobuf(tarfile.GNU_FORMAT) * 5000 + bytes(1024))
    return path


def zeros_gz(path):
    """Write an IDX of 2 GB of zeros in 2 MB."""
    count, piece = 2_000_000, gzip.compress(bytes(16 << 20))
    header = gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", count, 32, 32))
    path = path.with_name("train-images-idx3-ubyte.gz")
    path.write_bytes(header + piece * 128)
    return path


def tar_of_zeros(path):
    """Write a tar whose skipped member is a gigabyte of zeros, as bzip2 a thousand bytes or so for each megabyte."""
    block = bz2.compress(bytes(32 << 20))
    head = tarfile.TarInfo("zeros")
    head.size = 1 << 30
    path.write_bytes(bz2.compress(head.tobuf()) + block * 32 + bz2.compress(bytes(1024)))
    return path


def zeros_after_labels(path):
    path = path.with_name("train-labels-idx1-ubyte.gz")
    path.write_bytes(gzip.compress(idx(noise(3))) + gzip.compress(bytes(1 << 20)))
    return path


def claiming_idx(path):
    path = path.with_name("train-images-idx3-ubyte")
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1))
    return path


def wide_idx(path):
    path = path.with_name("train-images-idx3-ubyte")
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 1, 60_000, 60_000))
    return path


def npz_claims(shape, dtype="|u1", content=b""):
    def make(path):
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
        labels = io.BytesIO()
        np.save(labels, np.zeros(2, np.uint8))
        return zipped(path, [("x.npy", header.getvalue() + content), ("y.npy", labels.getvalue())])

    return make


def long_npy_header(path):
    header = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2_000_000) + b"{" + b"(" * 2_000_000
    return zipped(path, [("x.npy", header), ("y.npy", header)])


def gz_in_zip(path):
    inner = gzip.compress(idx(noise(3))) + 40 * gzip.compress(bytes(10 << 20))
    return zipped(path, [("train-labels-idx1-ubyte.gz", inner)], zipfile.ZIP_STORED)


ATTACKS = {
    "absolute path": (named("/tmp/evil.png"), "absolute path"),
    "absolute path in a zip": (zip_named("/tmp/evil.png"), "absolute path"),
    "drive": (zip_named("C:/evil.png"), "absolute path"),
    "parent": (named("../evil.png"), "leads out of it"),
    "parent in a zip": (zip_named("a/../../evil.png"), "leads out of it"),
    "parent in the middle": (named("a/b/../../../evil.png"), "leads out of it"),
    "backslashes": (zip_named("..\\..\\evil.png"), "backslash"),
    "folder outside": (tarred(entry("../evil", tarfile.DIRTYPE)), "leads out of it"),
    "NUL in a name": (lambda path: patched(path, b"b/1.png", b"b/1\0png"), "control character|differ"),
    "line break in a name": (named("a/1\n2.png"), "control character"),
    "long name": (named("a/" + "x" * 300 + ".png"), "too long"),
    "deep name": (named("a/" * 40 + "x.png"), "too long"),
    "no name": (named("./"), "no name of a file"),
    "symbolic link": (tarred(entry("a/link.png", tarfile.SYMTYPE, linkname="/etc/passwd")), "is a link"),
    "link to a folder, then a file in it": (
        lambda path: tar(path, [(entry("a", tarfile.SYMTYPE, linkname="/tmp"), b""), ("a/evil.png", png())]),
        "is a link",
    ),
    "hard link": (tarred(entry("a/link.png", tarfile.LNKTYPE, linkname="../../etc/passwd")), "is a link"),
    "symbolic link in a zip": (zip_link, "is a link"),
    "device": (tarred(entry("a/zero.png", tarfile.CHRTYPE, devmajor=1, devminor=5)), "a device"),
    "block device": (tarred(entry("a/disk.png", tarfile.BLKTYPE, devmajor=8)), "a device"),
    "pipe": (tarred(entry("a/pipe.png", tarfile.FIFOTYPE)), "a device"),
    "file with holes": (pax(GNU_sparse_map="0,1", GNU_sparse_size="99999999999"), "holes"),
    "twice": (lambda path: tar(path, [*GOOD, GOOD[0]]), "is there twice"),
    "in another letter case": (named("a/1.PNG"), "is there twice"),
    "in another Unicode form": (lambda path: zipped(path, folders("a/\u00e9.png", "a/e\u0301.png")), "is there twice"),
    "folder in another letter case": (named("A/2.png"), "but for letter case"),
    "file where a folder is": (lambda path: tar(path, [("a", b"x"), *GOOD, ("b/1.png/2.png", png())]), "cannot import"),
    "declared bomb": (declared(0xFFFF_FFF0), "files claim .* would be too much"),
    "overlapping entries": (overlapping, "cannot import"),
    "more than declared": (lying_size, "CRC|cannot import"),
    "encrypted": (encrypted, "is encrypted"),
    "LZMA, whose memory the file chooses": (
        lambda path: zipped(path, GOOD, zipfile.ZIP_LZMA),
        "compressed in another way",
    ),
    "wrong checksum in a zip": (lambda path: patched(path, b"IDAT", b"IDAU", 1), "CRC|Error"),
    "zip cut off": (cut(lambda path: zipped(path, GOOD), 120), "cannot import"),
    "tar cut off": (cut(lambda path: tar(path, GOOD, "w"), 700), "cannot import"),
    "tar without its end": (cut(lambda path: tar(path, GOOD, "w"), 2048), "cut off, or damaged"),
    "gz cut off": (cut(lambda path: tar(path, GOOD), 150), "cannot import"),
    "damaged second header": (damaged_tar(1024 + 148, b"99999999"), "cut off, or damaged"),
    "header of 8 GB": (huge_header, "a header claims"),
    "negative size": (backwards, "cannot import"),
    "headers of headers": (nested_headers, "cannot import"),
    "size in an extended header": (pax(size="99999999999999"), "files claim"),
    "path in an extended header": (pax(path="../../evil.png"), "leads out of it"),
    "images of zeros": (zeros_gz, "no labels"),
    "tar of zeros": (tar_of_zeros, "files claim"),
    "IDX of 2⁹⁶ bytes": (claiming_idx, "is too much"),
    "IDX of a wide image": (wide_idx, "is too much"),
    "zeros after the labels": (zeros_after_labels, "more bytes follow"),
    "gz bomb in a zip": (gz_in_zip, "unpacks to more than|more bytes follow"),
    "npz of 10¹² images": (npz_claims((10**12, 8, 8)), "is too much"),
    "npz of a negative shape": (npz_claims((-2, 8, 8)), "cannot import"),
    "npz of structures": (npz_claims((2, 8, 8), [("f", "|O")]), "cannot import"),
    "npz that has less": (npz_claims((2, 8, 8), content=bytes(100)), "claimed, and 100 bytes are there"),
    "npz with a header of megabytes": (long_npy_header, "cannot import"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_and_leaves_nothing_behind(tmp_path, attack):
    (folder := tmp_path / "sources").mkdir()
    make, message = ATTACKS[attack]
    source = make(folder / "archive")
    with pytest.raises(DataError, match=message):
        import_files([source], tmp_path / "made")
    assert [*tmp_path.iterdir()] == [folder]
    assert [*folder.iterdir()] == [source]


def test_there_are_many_attacks_and_what_they_are_made_of_is_harmless(tmp_path):
    assert len(ATTACKS) >= 50
    for n, pack in enumerate((tar, zipped)):
        assert import_files([pack(tmp_path / "good", GOOD)], tmp_path / f"made{n}").classes == ("a", "b")


@pytest.mark.parametrize("zip64", [False, True])
def test_a_zips_list_of_files_is_not_read_where_it_would_take_much_memory(tmp_path, monkeypatch, zip64):
    monkeypatch.setattr(containers, "_LARGEST_DIRECTORY", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1 if zip64 else 0xFFFF)
    source = zipped(tmp_path / "archive", GOOD)
    assert (b"PK\x06\x06" in source.read_bytes()) == zip64
    with pytest.raises(DataError, match="its list of files has 106 bytes"):
        import_files([source], tmp_path / "made")


@pytest.mark.parametrize("pack", [tar, zipped])
def test_too_many_files_are_refused(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(containers, "MOST_FILES", 1)
    with pytest.raises(DataError, match="more than 1 files"):
        import_files([pack(tmp_path / "archive", GOOD)], tmp_path / "made")


def test_what_unpacks_to_more_than_its_size_lets_expect_is_refused_as_it_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "HARMLESS", 10_000)
    source = tmp_path / "train-labels-idx1-ubyte.gz"
    source.write_bytes(gzip.compress(idx(np.zeros(1_500_000, np.uint8))))
    with pytest.raises(DataError, match="unpacks to more than"):
        import_files([source], tmp_path / "made")
