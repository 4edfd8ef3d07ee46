"""What `cnnbp data` counts, and what it calls a problem."""

import numpy as np
import pytest
from PIL import Image

from cnnbp.data import decode, walk
from cnnbp.data.inventory import SizeCount, take_inventory
from cnnbp.data.store import BadImage
from cnnbp.errors import DataError
from tests.data.images import noise, save


@pytest.fixture
def folder(tmp_path):
    """Two classes in two splits; five images of four kinds."""
    save(tmp_path / "train" / "a" / "1.png", noise(4, 6, seed=1))
    save(tmp_path / "train" / "a" / "2.bmp", noise(4, 6, 3, seed=2))
    save(tmp_path / "train" / "b" / "1.png", noise(4, 6, seed=3))
    save(tmp_path / "test" / "a" / "1.png", noise(5, 5, seed=4))
    save(tmp_path / "test" / "b" / "1.gif", Image.fromarray(noise(4, 6, seed=5)))
    return tmp_path


def test_images_are_counted_by_split_class_size_mode_and_format(folder):
    found = take_inventory(folder)
    assert (found.root, found.classes) == (folder, ("a", "b"))
    assert found.splits == {"train": {"a": 2, "b": 1}, "test": {"a": 1, "b": 1}}
    assert list(found.splits) == ["train", "test"]
    assert found.sizes == (SizeCount(6, 4, 4), SizeCount(5, 5, 1))
    assert found.modes == {"grey": 3, "RGB": 1, "palette": 1}
    assert found.formats == {"PNG": 3, "BMP": 1, "GIF": 1}
    assert found.problems == found.bad == found.duplicates == ()


def test_sizes_are_those_of_the_upright_image(folder):
    exif = Image.Exif()
    exif[274] = 6
    save(folder / "train" / "b" / "2.jpg", noise(30, 20), exif=exif)
    assert SizeCount(30, 20, 1) in take_inventory(folder).sizes


def test_every_bad_file_of_every_split_is_a_problem_unless_it_may_be_skipped(folder):
    (folder / "test" / "a" / "1.png").write_bytes(b"")
    (folder / "train" / "a" / "1.png").write_text("no image")
    found = take_inventory(folder)
    assert [image.name for image in found.bad] == ["train/a/1.png", "test/a/1.png"]
    assert found.bad[1] == BadImage("test/a/1.png", "the file is empty")
    assert found.problems == ("2 of 5 images cannot be read (--skip-bad goes on without them)",)
    assert take_inventory(folder, skip_bad=True).problems == ()


def test_a_folder_without_a_single_good_image_stays_a_problem(tmp_path):
    for name in "ab":
        save(tmp_path / name / "1.png", noise(4, 4)).write_bytes(b"")
    assert take_inventory(tmp_path, skip_bad=True).problems == ("no image that can be read",)


def test_one_class_is_a_problem_and_so_is_an_empty_one_unless_allowed(tmp_path):
    save(tmp_path / "a" / "1.png", noise(4, 4))
    assert "nothing to tell apart" in take_inventory(tmp_path).problems[0]
    (tmp_path / "b").mkdir()
    assert take_inventory(tmp_path).problems[0].startswith("class folders without images: 'b'")
    assert take_inventory(tmp_path, allow_empty=True).problems == ()


def test_the_same_picture_in_two_splits_is_found_whatever_its_file_is(folder):
    grey = noise(4, 6, seed=3)
    save(folder / "test" / "a" / "2.bmp", np.stack([grey] * 3, axis=-1))
    assert take_inventory(folder).duplicates == (("train/b/1.png", "test/a/2.bmp"),)


def test_pictures_of_equal_bytes_and_other_sizes_are_not_the_same(folder):
    save(folder / "train" / "a" / "black.png", np.zeros((2, 8), np.uint8))
    save(folder / "test" / "a" / "black.png", np.zeros((4, 4), np.uint8))
    assert take_inventory(folder).duplicates == ()


def test_what_is_skipped_followed_and_noted_is_counted(folder):
    (folder / "train" / "a" / "notes.txt").touch()
    (folder / "train" / "b" / "link.png").symlink_to(save(folder.parent / "elsewhere.png", noise(4, 6, seed=9)))
    first, second = (Image.fromarray(noise(4, 6, seed=seed)) for seed in (10, 11))
    save(folder / "train" / "b" / "x.gif", first, save_all=True, append_images=[second])
    found = take_inventory(folder)
    assert found.skipped == {walk.OTHER_TYPE: 1}
    assert found.followed == {walk.LINK_OUT: 1}
    assert found.notes == {decode.ANIMATED: 1}


def test_progress_is_told_split_by_split(folder):
    told = []
    take_inventory(folder, progress=lambda *what: told.append(what), threads=2)
    assert told == [("train", 3, 3), ("test", 2, 2)]


def test_a_folder_that_cannot_be_walked_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no class folders"):
        take_inventory(tmp_path)
