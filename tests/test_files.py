import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnbp.errors import CheckpointError
from cnnbp.files import csv_cell, name_in, opened, write_text, written_whole
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


@pytest.mark.parametrize("name", ["/", ".", "disk/.."])
def test_a_folder_is_no_name_for_a_file(tmp_path, name):
    (tmp_path / "disk").mkdir()
    with pytest.raises(CheckpointError, match="cannot write"):
        write_text(tmp_path / name, "")
    assert [entry.name for entry in tmp_path.rglob("*")] == ["disk"]


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_RDWR])
def test_a_pipe_or_a_device_is_no_file_and_nothing_waits_for_it(tmp_path, flags):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    for name in ("pipe", "zeros", "."):
        with pytest.raises(OSError, match=r"regular file|Is a directory|No such device"):
            opened(tmp_path / name, flags)
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "missing", flags)


def test_what_lies_where_a_half_written_file_would_is_put_aside_and_never_written_into(tmp_path):
    image = tmp_path / "image.png"
    image.write_bytes(b"pixels")
    for make in (lambda path: path.symlink_to(image), os.mkfifo, Path.touch):
        make(tmp_path / "file.partial")
        write_text(tmp_path / "file", "text")
        assert (tmp_path / "file").read_text() == "text"
        assert image.read_bytes() == b"pixels"
        (tmp_path / "file").unlink()
    assert [entry.name for entry in tmp_path.iterdir()] == ["image.png"]


def test_of_two_that_write_one_file_at_once_the_later_one_does_and_the_other_is_told(tmp_path):
    first, later = written_whole(tmp_path / "file"), written_whole(tmp_path / "file")
    first.__enter__().write(b"first")
    later.__enter__().write(b"later")
    with pytest.raises(CheckpointError, match=r"cannot write '.*file': another process is writing it"):
        first.__exit__(None, None, None)
    later.__exit__(None, None, None)
    assert (tmp_path / "file").read_bytes() == b"later"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


SPOKEN = [
    "cat",
    "a-b.png",
    "-1",
    "+2.5",
    "a=b",
    "日本",
    "it's",
    'a "b"',
    "a,b",
    "[red]",
    "3-4",
    os.fsdecode(b"caf\xe9"),
    "",
    " ",
]
ACTED_ON = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-x",
    "@SUM(A1)",
    " =1",
    "a;=1",
    "b|=2",
    "\x1b[31m",
    "a\nb",
    "a\tb",
    "\x9b31m",
    "＝1",
    '"x"',
    "\u202etxt",
]


def test_a_cell_that_nothing_acts_on_is_the_name_itself():
    assert [csv_cell(name) for name in SPOKEN] == SPOKEN


@given(st.one_of(st.text(), st.sampled_from(ACTED_ON), st.text('=+-@;|"\x1b\n a1'), st.binary().map(os.fsdecode)))
def test_a_cell_is_read_back_as_the_name_and_no_terminal_and_no_spreadsheet_acts_on_it(name):
    cell = csv_cell(name)
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(["first", cell])
    [[_, read]] = csv.reader(io.StringIO(line.getvalue(), newline=""))
    assert name_in(read) == name
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in cell)
    for separator in ",;|\t":
        for part in line.getvalue().rstrip("\n").split(separator):
            assert part.strip().strip('"')[:1] not in tuple("=+-@") or part.strip() == name
