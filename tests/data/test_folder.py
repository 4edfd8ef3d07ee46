"""The rules of scanning: classes and their order, splits, what is hidden, foreign, loose or empty, links, and names."""

import os
from pathlib import Path

import numpy as np
import pytest

from cnnbp.data import folder, walk
from cnnbp.data.folder import scan_folder
from cnnbp.errors import DataError


def make_files(root, *names):
    """Scanning reads no contents: an empty file with the right name is an image."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_classes_are_sorted_by_name_and_files_by_path(tmp_path):
    found = scan_folder(make_files(tmp_path, "b/2.png", "b/10.png", "B/x.png", "a/deep/er/1.png", "a/0.png"))
    assert found.classes == ("B", "a", "b")
    assert found.splits["train"].names == ("B/x.png", "a/0.png", "a/deep/er/1.png", "b/10.png", "b/2.png")
    np.testing.assert_array_equal(found.splits["train"].labels, [0, 1, 1, 2, 2])
    assert all(file.is_absolute() and file.is_file() for file in found.splits["train"].files)
    assert list(found.splits) == ["train"]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_split_folders_are_found_under_each_of_their_names(tmp_path, name):
    found = scan_folder(make_files(tmp_path, "train/a/1.png", f"{name}/a/2.png", "test/a/3.png"))
    assert {split: images.names for split, images in found.splits.items()} == {
        "train": ("train/a/1.png",),
        "val": (f"{name}/a/2.png",),
        "test": ("test/a/3.png",),
    }


def test_a_split_that_lacks_a_class_keeps_the_train_splits_indices(tmp_path):
    found = scan_folder(make_files(tmp_path, "train/a/1.png", "train/b/1.png", "train/c/1.png", "test/c/2.png"))
    np.testing.assert_array_equal(found.splits["test"].labels, [2])


def test_known_classes_keep_their_indices_and_need_no_train_split(tmp_path):
    found = scan_folder(make_files(tmp_path, "test/b/1.png"), classes=("a", "b"))
    assert found.classes == ("a", "b")
    np.testing.assert_array_equal(found.splits["test"].labels, [1])


def test_a_class_may_be_called_train_beside_other_classes(tmp_path):
    assert scan_folder(make_files(tmp_path, "train/1.png", "bus/1.png")).classes == ("bus", "train")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["1.png", "2.JPG", "x.txt"], "2 images but no class folders"),
        (["x.txt"], "no class folders"),
        (["train/1.png", "test/1.png"], "1 image but no class folders in '.*test'"),
        (["val/a/1.png", "test/a/1.png"], "has test and val but no train folder"),
        (["train/a/1.png", "val/a/1.png", "valid/a/1.png"], "both 'val' and 'valid'"),
        (["train/a/1.png", "test/z/1.png", "val/y/1.png"], "'test/z', 'val/y'"),
        (["a/1.png", "b/x.txt", "c/.1.png"], "without images: 'b', 'c'.*allow_empty"),
    ],
)
def test_an_unusable_folder_says_what_is_wrong(tmp_path, files, message):
    with pytest.raises(DataError, match=message):
        scan_folder(make_files(tmp_path, *files))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "No such file"),
        ("file", "Not a directory"),
        ("nul\0", "null (byte|character)"),
        ("\ud800", "surrogates not allowed"),
        ("n" * 300, "File name too long"),
        ("n/" * 3000, "File name too long"),
    ],
)
def test_a_root_that_is_no_folder_is_an_error(tmp_path, name, reason):
    make_files(tmp_path, "file")
    with pytest.raises(DataError, match=reason):
        scan_folder(tmp_path / name)


def test_empty_classes_are_kept_when_allowed(tmp_path):
    found = scan_folder(make_files(tmp_path, "a/1.png", "b/x.txt", "c/1.png"), allow_empty=True)
    assert found.classes == ("a", "b", "c")
    np.testing.assert_array_equal(found.splits["train"].labels, [0, 2])


def test_hidden_and_foreign_files_are_skipped_and_counted(tmp_path):
    make_files(tmp_path, "a/1.png", "a/._1.png", "a/Thumbs.db", "a/.git/2.png", "__MACOSX/a/1.png", ".DS_Store")
    make_files(tmp_path, "a/notes.txt", "a/noextension", "a/archive.zip", "loose.png", "readme.md")
    (tmp_path / "a" / "dangling.png").symlink_to(tmp_path / "nowhere")
    found = scan_folder(tmp_path)
    assert found.splits["train"].names == ("a/1.png",)
    assert found.skipped == {walk.HIDDEN: 5, walk.OTHER_TYPE: 4, folder.LOOSE_IMAGE: 1, walk.BROKEN_LINK: 1}


def test_files_beside_split_folders_are_counted_too(tmp_path):
    found = scan_folder(make_files(tmp_path, "train/a/1.png", "readme.md", "loose.png", ".hidden"))
    assert found.skipped == {walk.HIDDEN: 1, walk.OTHER_TYPE: 1, folder.LOOSE_IMAGE: 1}


def test_every_extension_counts_in_any_case(tmp_path):
    names = [
        f"a/{i}{case(extension)}" for i, extension in enumerate(walk.EXTENSIONS) for case in (str.upper, str.lower)
    ]
    assert set(scan_folder(make_files(tmp_path, *names)).splits["train"].names) == set(names)


def test_links_are_followed_and_those_that_lead_out_are_counted(tmp_path):
    root = make_files(tmp_path / "root", "a/1.png", "a/deep/2.png")
    make_files(tmp_path / "elsewhere", "3.png", "4.png")
    (root / "a" / "inside").symlink_to(root / "a" / "deep")
    (root / "a" / "outside").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "5.png").symlink_to(tmp_path / "elsewhere" / "4.png")
    found = scan_folder(root)
    assert found.splits["train"].names == (
        "a/1.png",
        "a/5.png",
        "a/deep/2.png",
        "a/inside/2.png",
        "a/outside/3.png",
        "a/outside/4.png",
    )
    assert found.followed == {walk.LINK_OUT: 2}


def test_a_link_loop_is_an_error(tmp_path):
    make_files(tmp_path, "a/deep/1.png")
    (tmp_path / "a" / "deep" / "up").symlink_to(tmp_path / "a")
    with pytest.raises(DataError, match=r"'.*/a/deep/up' leads back"):
        scan_folder(tmp_path)


@pytest.mark.parametrize("name", ["a/self.png", "a/self", "a/deep/self.png", "self", "self.png"])
@pytest.mark.parametrize("target", ["self", "nothing", "1.png/file", "n" * 300])
def test_a_link_that_leads_nowhere_or_to_itself_is_named_and_passed_over(tmp_path, name, target):
    make_files(tmp_path, "a/1.png", "a/deep/2.png")
    (tmp_path / name).symlink_to(Path(name).name if target == "self" else target)
    found = scan_folder(tmp_path)
    assert found.splits["train"].names == ("a/1.png", "a/deep/2.png")
    assert (found.skipped, found.dead_links) == ({walk.BROKEN_LINK: 1}, (name,))


def test_odd_names_are_legal(tmp_path):
    names = [
        "[red]/ü.png",
        "a b/line\nbreak.png",
        "日本/1.png",
        "~/-r.png",
        "n" * 255 + "/" + "n" * 251 + ".png",
        os.fsdecode(b"latin-\xe9/\xff.png"),
    ]
    assert set(scan_folder(make_files(tmp_path, *names)).splits["train"].names) == set(names)


def test_paths_are_the_names_below_the_root(tmp_path):
    train = scan_folder(make_files(tmp_path, "a/1.png", "a b/1.png", "a/deep/2.png")).splits["train"]
    assert train.names == ("a/1.png", "a/deep/2.png", "a b/1.png")
    assert list(train.files) == [tmp_path / name for name in train.names]
    assert list(train.files[1:]) == [tmp_path / name for name in train.names[1:]]
    assert train.files[-1] == tmp_path / "a b" / "1.png"
