from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import make_datasets

DATASETS = Path(make_datasets.__file__).parent


def read(path):
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.asarray(image)


def test_all_1797_digits_are_there_in_ten_classes():
    files = list((DATASETS / "digits").rglob("*.png"))
    assert sorted(int(file.stem) for file in files) == list(range(1797))
    for split in ("train", "test"):
        assert sorted(folder.name for folder in (DATASETS / "digits" / split).iterdir()) == list("0123456789")


def test_a_fifth_of_every_digit_is_in_the_test_split():
    for digit in "0123456789":
        train, test = (len(list((DATASETS / "digits" / split / digit).iterdir())) for split in ("train", "test"))
        assert test == round((train + test) / 5)


def test_the_digits_are_those_of_scikit_learn():
    pytest.importorskip("sklearn")
    pixels, labels = make_datasets.digits()
    for file in (DATASETS / "digits").rglob("*.png"):
        assert file.parent.name == str(labels[int(file.stem)])
        np.testing.assert_array_equal(read(file), pixels[int(file.stem)])


def test_the_strokes_are_written_again_with_the_same_pixels(tmp_path):
    make_datasets.write_strokes(tmp_path)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.png"))
    assert len(written) == 120
    assert written == sorted(path.relative_to(DATASETS / "strokes") for path in (DATASETS / "strokes").rglob("*.png"))
    for path in written:
        np.testing.assert_array_equal(read(tmp_path / path), read(DATASETS / "strokes" / path))
