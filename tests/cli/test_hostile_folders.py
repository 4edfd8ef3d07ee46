"""Folders that are read-only, forbidden, endless or changing, as a user meets them."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, ROOT, cnnbp, environment
from tests.data.images import noise, save

CONFIG = """
input: {channels: 1, height: 4, width: 4}
layers: [flatten, {dense: {units: 2}}]
loss: cross_entropy
data: {cache: 0, validation: 0.25}
train: {epochs: 150}
"""


@pytest.fixture
def folder(tmp_path):
    """A configuration that keeps no image in memory, and 40 images."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    for number in range(40):
        save(tmp_path / "images" / "ab"[number % 2] / f"{number}.png", noise(4, 4, seed=number))
    return tmp_path


def train(folder, *more):
    return cnnbp("train", "c.yaml", "images", "train.epochs=2", "--no-plots", *more, cwd=folder)


@contextmanager
def read_only(folder):
    """Mount a folder over itself so that nobody can write to it."""
    steps = (["mount", "--bind", folder, folder], ["mount", "-o", "remount,ro,bind", folder])
    try:
        for command in steps:
            subprocess.run([*map(str, command)], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nothing can be mounted here: {getattr(error, 'stderr', b'') or error}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=30)


def test_a_folder_on_a_read_only_disk_trains_and_only_the_run_needs_room(folder):
    with read_only(folder / "images"):
        assert cnnbp("data", "images", cwd=folder)[0] == 0
        assert train(folder, "--run", "run")[0] == 0
        exit_code, _, errors = train(folder, "--run", "images/run")
    assert exit_code == 3
    assert errors.splitlines()[-1].startswith("error: ")
    assert "Read-only file system" in errors


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, pytest.param(lambda path: save(path, noise(4, 4, seed=99)), marks=pytest.mark.slow)],
    ids=["gone", "changed"],
)
def test_a_file_that_goes_or_changes_during_a_run_is_named_and_the_run_can_go_on(folder, damage):
    command = [*COMMAND, "train", "c.yaml", "images", "--run", "run", "--no-plots"]
    with subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True) as run:
        while not (lines := run.stderr.readline()).startswith("epoch 2/"):
            assert lines, "training ended before its second epoch"
        path = folder / "images" / "a" / "8.png"
        before = path.read_bytes()
        damage(path)
        errors = run.stderr.read()
    assert run.returncode == 3, errors
    assert "Traceback" not in errors
    assert str(path) in errors.splitlines()[-1]
    path.write_bytes(before)
    assert cnnbp("train", "--resume", "run", "--no-plots", cwd=folder)[0] == 0


def test_every_bad_image_is_named_at_once_and_training_can_go_on_without_them(folder):
    bad = {"empty.png": b"", "text.png": b"no image", "cut.png": (folder / "images/a/0.png").read_bytes()[:50]}
    for name, content in bad.items():
        (folder / "images" / "a" / name).write_bytes(content)
    exit_code, screen, errors = train(folder, "--run", "run")
    assert (exit_code, screen) == (3, "")
    assert "3 of 43 images cannot be read" in errors
    assert [sum(name in line for line in errors.splitlines()) for name in bad] == [1, 1, 1]
    exit_code, screen, errors = train(folder, "--run", "run", "--skip-bad")
    assert exit_code == 0
    assert "30 train, 10 val" in screen
    assert "skipped 3 images that cannot be read" in errors
    assert all(f"skipped 'a/{name}': " in errors for name in bad)
    for remembering in (["train", "--resume", "run", "train.epochs=3", "--no-plots"], ["evaluate", "run"]):
        exit_code, _, errors = cnnbp(*remembering, cwd=folder)
        assert exit_code == 0, errors
        assert all(f"skipped 'a/{name}': " in errors for name in bad)


def test_that_bad_images_are_skipped_may_be_decided_when_a_run_goes_on(folder):
    assert train(folder, "--run", "run")[0] == 0
    (folder / "images/a/text.png").write_text("no image")
    assert cnnbp("train", "--resume", "run", "train.epochs=3", "--no-plots", cwd=folder)[0] == 3
    for more in (["--skip-bad"], ["train.epochs=4"]):
        exit_code, _, errors = cnnbp("train", "--resume", "run", "train.epochs=3", "--no-plots", *more, cwd=folder)
        assert exit_code == 0, errors


def test_any_name_that_a_file_may_have_is_trained_on_evaluated_and_resumed(folder):
    names = ["a b.png", "new\nline.png", "-q.png", "日本.png", "[red].png", "'\".png", "n" * 251 + ".png"]
    for number, name in enumerate([*names, os.fsdecode(b"\xff.png")]):
        save(folder / "images" / "a" / name, noise(4, 4, seed=70 + number))
    images = (folder / "images").rename(folder / os.fsdecode("ü\u0085\n".encode() + b"\xff"))
    exit_code, screen, errors = cnnbp("train", "c.yaml", images, "--run", "run", "train.epochs=2", cwd=folder)
    assert exit_code == 0, errors
    assert "36 train, 12 val" in screen
    assert cnnbp("evaluate", "run", cwd=folder)[0] == 0
    assert cnnbp("train", "--resume", "run", "train.epochs=3", "--no-plots", cwd=folder)[0] == 0
    assert cnnbp("init", "--data", images, images / "new.yaml", cwd=folder)[0] == 0
    assert cnnbp("train", images / "new.yaml", "--dry-run", cwd=folder)[0] == 0


def test_links_that_lead_out_are_followed_and_said_once(folder):
    (folder / "images" / "a" / "link.png").symlink_to(save(folder / "elsewhere.png", noise(4, 4, seed=60)))
    exit_code, screen, errors = train(folder, "--run", "run")
    assert exit_code == 0
    assert (screen + errors).count("followed 1 links that lead out of the folder") == 1
    assert "31 train, 10 val" in screen


def test_a_folder_in_which_names_are_files_of_other_kinds_does_not_stop_anything(folder):
    classes = folder / "images" / "a"
    os.mkfifo(classes / "pipe.png")
    (classes / "zeros.png").symlink_to("/dev/zero")
    (classes / "folder.png").mkdir()
    save(classes / "folder.png" / "inside.png", noise(4, 4, seed=50))
    exit_code, screen, _ = cnnbp("data", "images", cwd=folder)
    assert exit_code == 0
    assert "41" in screen
    assert "2 files of other types" in screen


def test_a_path_longer_than_the_system_allows_is_an_error(folder):
    place = os.open(folder / "images" / "a", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("n" * 250, dir_fd=place)
        inner = os.open("n" * 250, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    exit_code, _, errors = cnnbp("data", "images", cwd=folder)
    shutil.rmtree(folder / "images")
    assert exit_code == 3
    assert "File name too long" in errors
    assert "Traceback" not in errors


AS_NOBODY = """
import os, sys
from cnnbp.cli import main
import cnnbp.cli.data, PIL.Image
PIL.Image.init()
os.setuid(65534)
sys.argv = ["cnnbp", "data", sys.argv[1]]
main()
"""


def as_nobody(folder):
    command = [sys.executable, "-c", AS_NOBODY, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), check=False)


@pytest.fixture
def forbidden():
    """A folder that anybody may enter, for the tests to lock parts of."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can become somebody who may not read")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        for number in range(4):
            save(Path(name) / "ab"[number % 2] / f"{number}.png", noise(4, 4, seed=number))
        yield Path(name)


def test_images_that_must_not_be_read_are_listed(forbidden):
    for number in (1, 2):
        (forbidden / "ab"[number % 2] / f"{number}.png").chmod(0)
    run = as_nobody(forbidden)
    assert run.returncode == 3
    assert run.stdout.count("Permission denied") == 2


def test_links_into_a_folder_that_must_not_be_entered_are_told_by_their_own_names(forbidden):
    save(forbidden / ".locked" / "5.png", noise(4, 4, seed=5)).parent.chmod(0)
    (forbidden / "a" / "6.png").symlink_to("../.locked/5.png")
    run = as_nobody(forbidden)
    assert (run.returncode, run.stderr.count("Traceback")) == (3, 0)
    assert "a/6.png: Permission denied" in run.stdout
    (forbidden / "a" / "folder").symlink_to("../.locked/folder")
    run = as_nobody(forbidden)
    assert run.returncode == 3
    assert run.stderr.startswith(f"error: cannot look at '{forbidden}/a/folder': Permission denied")


def test_a_folder_that_must_not_be_read_is_an_error(forbidden):
    (forbidden / "b").chmod(0)
    run = as_nobody(forbidden)
    assert run.returncode == 3
    assert run.stderr.startswith(f"error: cannot read the folder '{forbidden}/b': Permission denied")
