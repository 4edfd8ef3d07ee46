import numpy as np
import pytest

from cnnbp.data.augment import Shift
from cnnbp.data.batches import batches, epoch_order
from cnnbp.data.decode import ImageFormat
from cnnbp.data.normalize import Normalization
from cnnbp.data.store import decode_split
from cnnbp.errors import DataError
from tests.data.images import noise_folder

FORMAT = ImageFormat(channels=1, height=4, width=4)
AS_IS = Normalization.uniform(1, 0, 1 / 255)


@pytest.fixture
def train(tmp_path):
    return noise_folder(tmp_path, per_class=5).splits["train"]


def joined(found):
    """All images of some batches, the batch last, and their labels."""
    parts = [part for batch in found for part in batch.micro_batches]
    return np.concatenate([part.x for part in parts], axis=-1), np.concatenate([part.labels for part in parts])


def test_each_image_of_the_order_comes_once_in_that_order(train):
    images = decode_split(train, FORMAT)
    order = epoch_order(10, seed=0, epoch=3)
    found = list(batches(images, order, 4, 3, AS_IS, np.float64))
    assert [[part.x.shape[-1] for part in batch.micro_batches] for batch in found] == [[3, 1], [3, 1], [2]]
    np.testing.assert_array_equal(np.concatenate([batch.indices for batch in found]), order)
    x, labels = joined(found)
    np.testing.assert_allclose(x, images.pixels[order].transpose(1, 2, 3, 0))
    np.testing.assert_array_equal(labels, images.labels[order])
    assert all(part.x.flags.c_contiguous for batch in found for part in batch.micro_batches)


@pytest.mark.parametrize("cache", [0, 7 * 16])
def test_images_read_from_disk_give_the_same_batches_with_any_number_of_threads(train, cache):
    options = {"augmentations": [Shift(pixels=1)], "seed": 1, "epoch": 2}
    order = epoch_order(10, 0, 0)
    expected, _ = joined(batches(decode_split(train, FORMAT), order, 3, 2, AS_IS, np.float32, **options))
    for threads in (1, 3):
        images = decode_split(train, FORMAT, cache_bytes=cache)
        x, _ = joined(batches(images, order, 3, 2, AS_IS, np.float32, threads=threads, **options))
        np.testing.assert_array_equal(x, expected)


def test_cutting_differently_gives_the_same_augmented_images(train):
    images = decode_split(train, FORMAT)
    whole, parts = (
        joined(batches(images, np.arange(10), *cut, AS_IS, np.float32, augmentations=[Shift(pixels=1)]))[0]
        for cut in ((10, 10), (4, 3))
    )
    np.testing.assert_array_equal(whole, parts)


def test_a_file_that_vanishes_ahead_of_the_step_is_an_error_with_its_path(train):
    images = decode_split(train, FORMAT, cache_bytes=0)
    train.files[7].unlink()
    with pytest.raises(DataError, match=train.files[7].name):
        list(batches(images, np.arange(10), 2, 2, AS_IS, np.float32, threads=2))


def test_a_loader_can_be_left_before_its_end(train):
    loader = batches(decode_split(train, FORMAT, cache_bytes=0), np.arange(10), 1, 1, AS_IS, np.float32, threads=2)
    next(loader)
    loader.close()


def test_orders_are_permutations_that_change_with_seed_and_epoch():
    orders = [epoch_order(50, *key).tolist() for key in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] == orders[3]
    assert orders[0] != orders[1] != orders[2] != orders[0]
