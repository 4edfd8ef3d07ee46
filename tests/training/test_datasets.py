"""A folder as a job sees it: splits, duplicates, all bad files at once, and one cache for all."""

import os

import numpy as np
import pytest

from cnnbp.config import Config
from cnnbp.data.duplicates import shared
from cnnbp.errors import DataError
from cnnbp.training.datasets import LeftOut
from cnnbp.training.known import Role
from cnnbp.training.loading import load_datasets
from tests.data.images import noise, save

BYTES = 4 * 4  # of one grey image


def config(path, **data):
    return Config.model_validate(
        {
            "input": {"channels": 1, "height": 4, "width": 4},
            "data": {"path": str(path), "validation": 0.25, **data},
            "layers": ["flatten", {"dense": {"units": 2}}],
            "loss": "cross_entropy",
        }
    )


def write(root, *splits, classes=("a", "b"), each=4):
    for split_number, split in enumerate(splits):
        for number in range(len(classes) * each):
            name = classes[number % len(classes)]
            save(root / split / name / f"{number}.png", noise(4, 4, seed=100 * split_number + number))
    return root


@pytest.mark.parametrize(("images", "expected"), [(5, [5, 0, 0]), (11, [8, 3, 0]), (24, [8, 8, 8])])
def test_all_splits_together_keep_to_the_cache(tmp_path, images, expected):
    found = load_datasets(config(write(tmp_path, "train", "val", "test"), cache=images * BYTES))
    sets = [found.train.images, found.validation.images, found.test.images]
    assert [len(each.pixels) for each in sets] == expected


def test_images_that_turned_out_bad_count_towards_the_cache(tmp_path):
    write(tmp_path, "train", "test")
    (tmp_path / "train" / "a" / "0.png").write_bytes(b"")
    found = load_datasets(config(tmp_path, cache=9 * BYTES), skip_bad=True)
    assert [len(found.train.images.pixels), len(found.test.images.pixels)] == [7, 1]


def test_names_that_no_encoding_has_can_be_told_apart(tmp_path):
    digests = set()
    for name in (b"\xff", b"\xfe"):
        folder = write(tmp_path / repr(name), "", classes=("a", os.fsdecode(name)))
        digests.add(load_datasets(config(folder)).digest)
    assert len(digests) == 2


def test_the_digest_is_of_what_is_seen_and_not_of_where_it_lies(tmp_path):
    here, there, other = (
        load_datasets(config(write(tmp_path / name, "", each=each))).digest
        for name, each in (("here", 4), ("there", 4), ("other", 5))
    )
    assert here == there != other


def test_a_copy_of_a_training_image_validates_and_tests_nothing(tmp_path):
    write(tmp_path, "train", "val", "test")
    for split in ("val", "test"):
        save(tmp_path / split / "b" / "copy.bmp", noise(4, 4, seed=2))
    found = load_datasets(config(tmp_path))
    assert found.left_out == (LeftOut("val/b/copy.bmp", "train/a/2.png"), LeftOut("test/b/copy.bmp", "train/a/2.png"))
    assert (len(found.train), len(found.validation), len(found.test)) == (8, 8, 8)


def test_copies_lie_on_one_side_of_a_drawn_split(tmp_path):
    for number in range(40):
        save(tmp_path / "ab"[number % 2] / f"{number}.png", noise(4, 4, seed=number // 3))
    found = load_datasets(config(tmp_path, validation=0.5))
    assert found.validation
    assert not set(found.train.digests) & set(found.validation.digests)


def test_what_a_run_knows_keeps_its_side_and_only_others_are_drawn(tmp_path):
    before = load_datasets(config(write(tmp_path, "", each=8))).known
    for number in range(16):
        save(tmp_path / "ab"[number % 2] / f"new {number}.png", noise(4, 4, seed=500 + number))
    found = load_datasets(config(tmp_path, validation=0.5), before=before)
    assert (before.roles == Role.VAL).sum() == 4
    assert not shared(found.validation.digests, before.having(Role.TRAIN).pixels).any()
    assert shared(before.having(Role.VAL).pixels, found.validation.digests).all()
    assert (len(found.train), len(found.validation)) == (12 + 8, 4 + 8)


def test_what_has_trained_stays_known_when_it_is_gone(tmp_path):
    first = load_datasets(config(write(tmp_path, "train", "test"))).known
    (tmp_path / "train/a/0.png").rename(tmp_path / "test/a/was trained.png")
    found = load_datasets(config(tmp_path), before=first)
    assert found.left_out == (LeftOut("test/a/was trained.png", None),)
    np.testing.assert_array_equal(
        np.sort(found.known.having(Role.TRAIN).pixels), np.sort(first.having(Role.TRAIN).pixels)
    )


def test_unreadable_images_of_all_kinds_are_listed_at_once(tmp_path):
    write(tmp_path, "")
    for number, content in enumerate([b"", b"no image", (tmp_path / "a" / "0.png").read_bytes()[:40]]):
        (tmp_path / "b" / f"bad{number}.png").write_bytes(content)
    with pytest.raises(DataError, match=r"3 of 11 images(.|\n)*bad0.png(.|\n)*bad1.png(.|\n)*bad2.png"):
        load_datasets(config(tmp_path))


def test_fewer_images_than_a_batch_and_a_class_that_nothing_validates_are_fine(tmp_path):
    found = load_datasets(config(write(tmp_path, "", each=1)))
    assert (len(found.train), len(found.validation), found.test) == (2, 0, None)


def test_empty_classes_are_refused_or_kept_as_the_configuration_says(tmp_path):
    (write(tmp_path, "", classes=("a",)) / "b").mkdir()
    with pytest.raises(DataError, match=r"without images: 'b'.*allow_empty"):
        load_datasets(config(tmp_path))
    assert load_datasets(config(tmp_path, allow_empty=True)).class_counts == [3, 0]


def test_a_class_keeps_its_label_in_a_split_that_lacks_another(tmp_path):
    write(tmp_path, "train")
    write(tmp_path, "val", classes=("b",))
    np.testing.assert_array_equal(load_datasets(config(tmp_path)).validation.labels, 1)


def test_unreadable_images_of_all_splits_are_listed_at_once(tmp_path):
    write(tmp_path, "train", "val", "test")
    for split in ("train", "test"):
        (tmp_path / split / "a" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 24 images(.|\n)*'train/a/0.png'(.|\n)*'test/a/0.png'"):
        load_datasets(config(tmp_path))
    found = load_datasets(config(tmp_path), skip_bad=True)
    assert [image.name for image in found.bad] == ["train/a/0.png", "test/a/0.png"]


def test_a_split_of_nothing_but_unreadable_images_is_told_too(tmp_path):
    write(tmp_path, "train")
    (tmp_path / "test" / "a").mkdir(parents=True)
    (tmp_path / "test" / "a" / "0.png").write_bytes(b"")
    found = load_datasets(config(tmp_path), skip_bad=True)
    assert found.skipped == {"images that cannot be read": 1}


def test_a_folder_of_which_nothing_can_be_read_has_no_image_to_train_on(tmp_path):
    for path in write(tmp_path, "train").rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="no image to train on"):
        load_datasets(config(tmp_path), skip_bad=True)
