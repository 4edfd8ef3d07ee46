"""What is no archive of ours, or no longer one, is refused; a flipped bit at most changes nothing."""

import io
import os
import re
import tracemalloc
import zipfile
from hashlib import blake2b

import numpy as np
import pytest

from cnnbp.errors import CheckpointError
from cnnbp.training.archive import ArchiveReader, write_archive
from tests.training.damage import read_with_flipped_bits
from tests.training.disks import full_disk

ARRAYS = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "b/c.d": np.linspace(0, 1, 5),
    "empty": np.zeros(0, np.uint8),
    "one": np.array(7.0),
}


def read_all(path):
    with ArchiveReader(path) as archive:
        assert archive.names == ARRAYS.keys()
        return {name: archive.read(name, array.dtype.str, array.shape) for name, array in ARRAYS.items()}


def forge(path, members, *, compression=zipfile.ZIP_STORED):
    """Write an archive whose checksum is right, of members that we would not write."""
    checksum = blake2b(digest_size=32)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            checksum.update(name.encode() + content)
            archive.writestr(name, content)
        archive.writestr("checksum.npy", npy(np.frombuffer(checksum.digest(), np.uint8)))
    return path


def npy(array, *, allow_pickle=False):
    content = io.BytesIO()
    np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=allow_pickle)
    return content.getvalue()


def header(descr, shape):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
    return content.getvalue()


def refuse(path, dtype="<f4", shape=(2,)):
    with pytest.raises(CheckpointError) as error, ArchiveReader(path) as archive:
        archive.read("a", dtype, shape)
    assert str(path) in str(error.value)
    return str(error.value)


def test_arrays_come_back_and_equal_arrays_give_equal_bytes(tmp_path):
    for name in ("one.npz", "two.npz"):
        write_archive(tmp_path / name, ARRAYS)
    for name, array in read_all(tmp_path / "one.npz").items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_numpy_reads_it_too(tmp_path):
    write_archive(tmp_path / "a.npz", ARRAYS)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["b/c.d"], ARRAYS["b/c.d"])


def test_a_file_that_ends_early_is_refused_wherever_it_ends(tmp_path):
    path = tmp_path / "a.npz"
    write_archive(path, ARRAYS)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refuse(path)


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    path = tmp_path / "a.npz"
    write_archive(path, ARRAYS)
    for arrays in read_with_flipped_bits(path, read_all, 1000, seed=5):
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, ARRAYS[name], strict=True)


def test_a_swapped_pair_of_members_is_refused(tmp_path):
    a, b = npy(np.zeros(2, np.float32)), npy(np.ones(2, np.float32))
    path = forge(tmp_path / "a.npz", {"a.npy": a, "b.npy": b})
    with ArchiveReader(path) as archive:
        np.testing.assert_array_equal(archive.read("a", "<f4", (2,)), [0, 0])
    swapped = path.read_bytes().replace(b"a.npy", b"x.npy").replace(b"b.npy", b"a.npy").replace(b"x.npy", b"b.npy")
    path.write_bytes(swapped)
    assert "checksum" in refuse(path)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    path = forge(tmp_path / "a.npz", {"a.npy": npy(np.array([Trap()]), allow_pickle=True)})
    assert "Python objects" in refuse(path, "|O", (1,))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"a.npy": header("<f4", (25 * 10**9,))}, "not <f4"),
        ({"a.npy": header("<f4", (2,))}, "another size"),
        ({"a.npy": header("<f4", (2,)) + b"\0" * 9}, "another size"),
        ({"a.npy": npy(np.asfortranarray(np.zeros((2, 2), np.float32)))}, "memory order"),
        ({"a.npy": npy(np.zeros(2))}, "<f8"),
        ({"a.npy": npy(np.zeros(2, np.float32)).replace(b"\x01\x00", b"\x03\x00", 1)}, "version 1.0"),
        ({"a.npy": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535}, "[Hh]eader"),
        ({"a.npy": b"GIF89a"}, "magic"),
        ({"b.npy": npy(np.zeros(2, np.float32))}, "a.npy"),
        ({}, "a.npy"),
    ],
)
def test_a_member_that_is_not_what_was_asked_for_is_refused(tmp_path, members, reason):
    path = forge(tmp_path / "a.npz", members)
    assert re.search(reason, refuse(path))


def test_a_header_that_claims_100_gb_takes_no_memory(tmp_path):
    path = forge(tmp_path / "a.npz", {"a.npy": header("<f4", (25 * 10**9,)) + b"\0" * 1000})
    tracemalloc.start()
    try:
        refuse(path, "<f4", (25 * 10**9,))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 << 20


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    path = forge(tmp_path / "a.npz", {"a.npy": npy(np.zeros(10**7))}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**6
    assert "compressed" in refuse(path)


def test_members_that_share_their_bytes_are_refused(tmp_path):
    """A small file could otherwise claim any amount of work."""
    path = forge(tmp_path / "a.npz", {"a.npy": npy(np.zeros(1000)), "b.npy": npy(np.zeros(1000))})
    with zipfile.ZipFile(path) as archive:
        first, *_ = archive.infolist()
    content = path.read_bytes()
    start = content.rindex(b"PK\x01\x02", 0, content.rindex(b"b.npy"))
    entry = bytearray(content[start : start + 46])
    entry[42:46] = first.header_offset.to_bytes(4, "little")
    path.write_bytes(content[:start] + entry + content[start + 46 :])
    refuse(path)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06" + b"\0" * 18, bytes(range(256)) * 40])
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    assert "is damaged, or no checkpoint" in refuse(path)


def test_a_foreign_zip_and_one_of_numpys_own_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refuse(path)
    np.savez(path, a=np.zeros(2, np.float32))
    refuse(path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    assert "there is no checkpoint" in refuse(tmp_path / "missing.npz")
    assert "Is a directory" in refuse(tmp_path)


def test_a_pipe_and_a_device_without_end_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "zeros.npz").symlink_to("/dev/zero")
    (tmp_path / "full.npz").symlink_to("/dev/full")
    for name in ("pipe.npz", "zeros.npz", "full.npz"):
        assert "it is no regular file" in refuse(tmp_path / name)


def test_a_full_disk_keeps_the_old_archive(tmp_path):
    with full_disk(tmp_path / "disk") as disk:
        path = disk / "a.npz"
        write_archive(path, ARRAYS)
        for size in (200_000, 250_000, 262_144, 10**6):
            with pytest.raises(CheckpointError, match="No space left on device"):
                write_archive(path, {f"{n}": np.zeros(size, np.float32) for n in range(3)})
        assert [entry.name for entry in disk.iterdir()] == ["a.npz"]
        read_all(path)
