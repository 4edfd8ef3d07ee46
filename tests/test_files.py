import os

import pytest

from cnnbp.errors import CheckpointError
from cnnbp.files import write_text, written_whole
from tests.training.disks import full_disk, read_only_disk


def test_a_file_gets_its_name_once_it_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with written_whole(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_file_name_that_is_no_utf_8_comes_back_as_it_was(tmp_path):
    write_text(tmp_path / "names", os.fsdecode(b"caf\xe9"))
    assert (tmp_path / "names").read_bytes() == b"caf\xe9"


def test_where_a_folder_is_missing_the_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot write '.*nowhere/file': No such file"):
        write_text(tmp_path / "nowhere/file", "")


def test_a_full_disk_keeps_the_old_file_and_leaves_no_half_one(tmp_path):
    with full_disk(tmp_path / "disk") as disk:
        write_text(disk / "file", "old")
        with pytest.raises(CheckpointError, match=r"cannot write '.*file': No space left"):
            write_text(disk / "file", "x" * (2 << 20))
        assert [entry.name for entry in disk.iterdir()] == ["file"]
        assert (disk / "file").read_text() == "old"


def test_a_read_only_disk_is_said_to_be_one(tmp_path):
    (tmp_path / "file").write_text("old")
    with read_only_disk(tmp_path) as disk:
        for name in ("file", "other"):
            with pytest.raises(CheckpointError, match=f"cannot write '.*{name}': Read-only file system"):
                write_text(disk / name, "new")
        assert (disk / "file").read_text() == "old"
