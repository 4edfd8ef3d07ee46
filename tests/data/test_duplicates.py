"""The same image in two splits is found by its content."""

import numpy as np

from cnnbp.data.decode import ImageFormat
from cnnbp.data.duplicates import find_duplicates
from cnnbp.data.folder import scan_folder
from cnnbp.data.store import decode_split
from tests.data.images import noise, save

FORMAT = ImageFormat(channels=1, height=4, width=4)


def test_the_same_picture_in_two_splits_is_found_even_in_another_format(tmp_path):
    for name, seed in [("train/a/1.png", 1), ("train/a/2.png", 2), ("val/a/x.bmp", 2), ("val/a/y.png", 3)]:
        save(tmp_path / name, noise(4, 4, seed=seed))
    train, val = (decode_split(scan_folder(tmp_path).splits[split], FORMAT) for split in ("train", "val"))
    assert find_duplicates(train, val) == (("train/a/2.png", "val/a/x.bmp"),)


class Counted:
    """A set of equal images that counts how often its names and digests are asked for; they may be made anew."""

    def __init__(self, images):
        self.images, self.asked = images, 0

    @property
    def names(self):
        self.asked += 1
        return tuple(map(str, range(self.images)))

    @property
    def digests(self):
        self.asked += 1
        return np.arange(self.images, dtype=np.uint64)


def test_a_folder_full_of_duplicates_takes_no_longer_for_each():
    few, many = ([Counted(images), Counted(images)] for images in (2, 200))
    assert [len(find_duplicates(*few)), len(find_duplicates(*many))] == [2, 200]
    assert [images.asked for images in few] == [images.asked for images in many]
