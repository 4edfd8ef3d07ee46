"""Folders that look like classes or splits and are not: refused with the way out, or read and said."""

import unicodedata

import pytest

from cnnbp.data.folder import scan_folder
from cnnbp.data.walk import HIDDEN
from cnnbp.errors import DataError
from tests.data.test_folder import make_files

SPELLINGS = [("Train", "Val"), ("training", "testing"), ("train", "dev"), ("TRAIN", "TEST"), ("Training", "Validation")]


def in_each(*folders, classes="ab"):
    return [f"{folder}/{name}/1.png" for folder in folders for name in classes]


@pytest.mark.parametrize("names", SPELLINGS, ids="-".join)
def test_splits_are_known_by_other_spellings_and_it_is_said(tmp_path, names):
    found = scan_folder(make_files(tmp_path, *in_each(*names)))
    assert found.classes == ("a", "b")
    assert found.splits["train"].names == (f"{names[0]}/a/1.png", f"{names[0]}/b/1.png")
    assert len(found.splits) == 2
    said = [f"the folder {name!r} is read as the " for name in names if name not in ("train", "val", "test")]
    assert len(found.remarks) == len(said)
    assert all(any(remark.startswith(start) for remark in found.remarks) for start in said)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([*in_each("train", "val"), "unlabeled/1.png"], r"has 'train', 'val', and 'unlabeled' beside them: move what"),
        ([*in_each("train"), "extra/1.png"], r"has 'train', and 'extra' beside it: .* reads the folders train \(or tr"),
        (in_each("training_set", "test_set"), "has 'test_set', 'training_set', which look like splits; rename them"),
        ([*in_each("seg-train", "seg-test"), "pred/1.png"], "has 'seg-test', 'seg-train', and 'pred' beside them"),
        (in_each("train", "Train"), "has both 'Train' and 'train'; keep one training split"),
        (in_each("train", "dev", "valid"), "has both 'dev' and 'valid'; keep one validation split"),
        (in_each("a", "b", classes=("train", "test")), "inside its classes: 'a/test' and 'a/train'; put .* train/a"),
        (in_each("x/train", "y", classes=("Train", "dev")), "splits inside its classes: 'x/train/Train' and"),
        (in_each("archive"), "has one class folder, 'archive', and inside it 'a', 'b'; go one folder down: .*archive$"),
        (in_each("x/y/train", "x/y/val"), "one class folder, 'x', and .* 'train', 'val'; go 2 folders down: .*x/y$"),
        (in_each("train/train", "test/test"), "test' has one class folder, 'test', and inside it 'a', 'b'; move"),
        ([*in_each("train"), "test/1.png"], "1 image but no class folders in '.*test'.*let cnnbp predict name them"),
        (["Train/1.png", "Test/1.png"], "1 image but no class folders in '.*Test'"),
    ],
)  # fmt: skip
def test_what_only_looks_like_classes_is_refused_with_the_way_out(tmp_path, files, message):
    with pytest.raises(DataError, match=message):
        scan_folder(make_files(tmp_path, *files))


def test_classes_whose_names_hold_the_word_of_a_split_are_classes(tmp_path):
    files = ("train/1.png", "test tube/1.png", "valley/2.png", "latest/1.png")
    assert scan_folder(make_files(tmp_path, *files)).classes == ("latest", "test tube", "train", "valley")


def test_images_in_folders_inside_class_folders_are_read_counted_and_told(tmp_path):
    found = scan_folder(make_files(tmp_path, "a/1.png", "a/deep/er/2.png", "a/deep/3.png", "b/x/4.png"))
    assert len(found.splits["train"].names) == 4
    assert found.remarks == ("3 images lie in folders inside class folders, as in 'a/deep'",)


def test_a_known_class_alone_may_have_folders_inside(tmp_path):
    make_files(tmp_path, "cat/x/1.png", "cat/y/1.png")
    assert len(scan_folder(tmp_path, classes=("cat", "dog")).splits["train"].names) == 2


@pytest.mark.parametrize(
    "name",
    ["@eaDir", "lost+found", "$RECYCLE.BIN", ".Trash-1000", "__MACOSX", "System Volume Information", "#recycle",
     "@Recycle", "Network Trash Folder", "RECYCLER"],
)  # fmt: skip
def test_what_systems_and_disks_put_between_images_is_skipped_and_counted(tmp_path, name):
    make_files(tmp_path, "a/1.png", "b/1.png", f"a/{name}/1.png", f"{name}/1.png", "b/THUMBS.DB", "b/Icon\r")
    found = scan_folder(tmp_path)
    assert (found.classes, len(found.splits["train"].names)) == (("a", "b"), 2)
    assert found.skipped == {HIDDEN: 4}


@pytest.mark.parametrize("target", ["..", "../..", ".", "../b"])
def test_a_loop_is_told_by_its_link(tmp_path, target):
    make_files(tmp_path / "root", "a/1.png", "b/1.png", "b/in/1.png")
    (tmp_path / "root/a/up").symlink_to(target)
    (tmp_path / "root/b/in/back").symlink_to("../../a")
    with pytest.raises(DataError, match=r"the link '.*root/(a/up|b/in/back|a/up/in/back)' leads back to '.*'"):
        scan_folder(tmp_path / "root")
    (tmp_path / "root/b/in/back").unlink()
    if target == "../b":
        assert len(scan_folder(tmp_path / "root").splits["train"].names) == 5
    else:
        with pytest.raises(DataError, match=r"the link '.*root/a/up' leads back to '.*', which contains it; remove"):
            scan_folder(tmp_path / "root")


@pytest.mark.parametrize(
    ("known", "found", "message"),
    [
        ("cat", "Cat", r"'train/Cat' \(did you mean 'cat'\? the letter case differs\)"),
        ("dog", "dogs", r"'train/dogs' \(did you mean 'dog'\?\)"),
        ("café", unicodedata.normalize("NFD", "café"), r"the training has it in Unicode's NFC, this is NFD\)"),
        ("cat", "zebra", r"know: 'train/zebra'$"),
    ],
)
def test_an_unknown_class_is_told_with_the_one_that_may_be_meant(tmp_path, known, found, message):
    with pytest.raises(DataError, match=message):
        scan_folder(make_files(tmp_path, f"{found}/1.png", "bird/1.png"), classes=("bird", known))


def test_classes_that_differ_only_in_how_they_are_spelled_are_told(tmp_path):
    files = [f"{name}/1.png" for name in ("A", "a", "ü", unicodedata.normalize("NFD", "ü"), "b")]
    found = scan_folder(make_files(tmp_path, *files))
    assert [remark[-34:] for remark in found.remarks] == [
        "'A' and 'a' differ only in letter case"[-34:],
        "only in their Unicode form (NFD, NFC)"[-34:],
    ]
