"""`cnnbp page` as a user runs it. What the page shows is tested in tests/page, and in a browser in test_browser.py."""

import pytest

from tests.cli.command import ROOT, cnnbp
from tests.cli.runs import trained_run

LECTURE = ROOT / "configs/lecture.yaml"


def test_the_lecture_becomes_a_small_file(tmp_path):
    exit_code, screen, errors = cnnbp("page", LECTURE, "-o", "lecture.html", cwd=tmp_path)
    assert (exit_code, screen) == (0, "")
    assert errors.startswith("wrote lecture.html, ")
    assert (tmp_path / "lecture.html").stat().st_size < 2_000_000
    assert cnnbp("page", LECTURE, "-o", "lecture.html", cwd=tmp_path)[0] == 0  # an older page gives way


def test_a_large_network_stays_below_ten_megabytes_and_says_what_was_left_out(tmp_path):
    exit_code, _, errors = cnnbp("page", ROOT / "configs/vgg.yaml", "-o", tmp_path / "vgg.html")
    assert exit_code == 0
    assert "random numbers, seed 0" in errors
    assert "left out to keep it small: W7 (128×2048)" in errors
    assert (tmp_path / "vgg.html").stat().st_size < 10_000_000


def test_a_run_is_shown_with_its_own_classes(tmp_path):
    run = trained_run(tmp_path / "here")
    exit_code, _, errors = cnnbp("page", run, "--batch", 3, "-o", tmp_path / "run.html")
    assert exit_code == 0
    assert "best.npz, after epoch" in errors
    assert r'"gr\u00fcn\nblau"' in (tmp_path / "run.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hide"], "--hide is about a planted bug"),
        (["--break", "conv1:nothing"], "no bug 'conv1:nothing' to plant"),
        (["-o", "notes.html"], "'notes.html' is there, and is no page of cnnbp"),
        (["-o", "nowhere/page.html"], "cannot write 'nowhere/page.html'"),
    ],
)
def test_a_mistake_is_told_and_writes_nothing(tmp_path, arguments, message):
    (tmp_path / "notes.html").write_text("mine")
    exit_code, screen, errors = cnnbp("page", LECTURE, *arguments, cwd=tmp_path)
    assert (exit_code > 0, screen) == (True, "")
    assert message in errors
    assert [path.name for path in tmp_path.iterdir()] == ["notes.html"]
    assert (tmp_path / "notes.html").read_text() == "mine"


def test_a_bug_to_find_is_not_told(tmp_path):
    exit_code, _, errors = cnnbp("page", LECTURE, "--break", "random", "--hide", "--seed", 3, cwd=tmp_path)
    assert exit_code == 0
    assert len(errors.splitlines()) == 1
    assert errors.startswith("wrote page.html, ")
