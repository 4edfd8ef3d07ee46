"""`cnnbp data` as a user runs it."""

import json
import os
from subprocess import CompletedProcess

import pytest

from tests.cli.command import cnnbp
from tests.data.images import noise, save


def data(*arguments, **environment):
    return CompletedProcess(arguments, *cnnbp("data", *arguments, **environment))


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(["train/a/1.png", "train/a/2.png", "train/b/1.png", "test/a/1.png"]):
        save(tmp_path / name, noise(4, 6, seed=number))
    return tmp_path


def test_a_good_folder_is_shown_in_counts(folder):
    run = data(folder)
    assert (run.returncode, run.stderr) == (0, "")
    rows = [line.split() for line in run.stdout.splitlines()]
    assert rows[0] == ["class", "train", "test"]
    assert ["a", "2", "1"] in rows
    assert ["images", "3", "1"] in rows
    assert "6×4 (4)" in run.stdout
    assert "grey (4)" in run.stdout


def test_json_is_one_document_and_nothing_else(folder):
    (folder / "train" / "a" / "bad.png").write_bytes(b"")
    run = data(folder, "--json")
    document = json.loads(run.stdout)
    assert run.returncode == 3
    assert document["splits"] == {"train": {"a": 2, "b": 1}, "test": {"a": 1, "b": 0}}
    assert document["bad"] == [{"name": "train/a/bad.png", "reason": "the file is empty"}]
    assert document["sizes"] == [{"width": 6, "height": 4, "images": 4}]
    assert "1 of 5 images cannot be read" in document["problems"][0]


def test_every_bad_file_is_named_and_decides_the_exit_code_unless_skipped(folder):
    for number in range(3):
        (folder / "train" / "a" / f"bad{number}.png").write_text("no image")
    run = data(folder)
    assert run.returncode == 3
    assert all(f"train/a/bad{number}.png" in run.stdout for number in range(3))
    assert run.stderr.startswith("error: ")
    assert "3 of 7 images cannot be read" in run.stderr
    assert data(folder, "--skip-bad").returncode == 0


@pytest.mark.parametrize("name", ["absent", "\udcff\udcfe", "new\nline"])
def test_a_folder_that_is_not_there_is_an_error_without_a_traceback(tmp_path, name):
    run = data(tmp_path / name)
    assert (run.returncode, run.stdout) == (3, "")
    assert run.stderr.startswith("error: cannot read the folder")
    assert "No such file or directory" in run.stderr


def test_hostile_names_are_shown_and_do_not_act(tmp_path):
    names = ["[red]", "new\nline", "esc\x1b[2J", "日本", os.fsdecode(b"\xff")]
    for name in names:
        save(tmp_path / "train" / name / "1.png", noise(4, 4))
        save(tmp_path / "val" / name / "[bold]\x1b.png", noise(4, 4))
    (tmp_path / "train" / "[red]" / "bad\r\n.png").write_bytes(b"")
    run = data(tmp_path)
    assert run.returncode == 3
    for shown in ("[red]", r"new\nline", r"esc\x1b[2J", "日本", r"\udcff", r"bad\r\n.png", r"[bold]\x1b.png"):
        assert shown in run.stdout
    assert "\x1b" not in run.stdout + run.stderr
    assert set(json.loads(data(tmp_path, "--json").stdout)["classes"]) == set(names)


def test_a_terminal_without_unicode_is_no_reason_to_fail(folder):
    run = data(folder, PYTHONIOENCODING="ascii")
    assert run.returncode == 0
    assert "6x4 (4)" in run.stdout


def test_a_narrow_terminal_leaves_out_no_reason_and_no_twin(folder):
    bad, twin = "b" * 60 + ".png", "t" * 60 + ".png"
    (folder / "train" / "a" / bad).write_bytes(b"")
    save(folder / "test" / "b" / twin, noise(4, 6, seed=0))
    lines = data(folder, COLUMNS="60").stdout.splitlines()
    assert f"train/a/{bad}: the file is empty" in lines
    assert f"train/a/1.png is also test/b/{twin}" in lines
