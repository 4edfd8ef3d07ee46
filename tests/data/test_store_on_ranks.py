"""Images that several ranks decode: each its share, and what it needs later when it needs it."""

from dataclasses import replace

import numpy as np
import pytest

from cnnbp.data.batches import batches
from cnnbp.data.decode import ImageFormat
from cnnbp.data.normalize import Normalization
from cnnbp.data.store import decode_split
from cnnbp.errors import DataError
from tests.data.images import noise_folder
from tests.engine.thread_ranks import on_ranks

FORMAT = ImageFormat(1, 4, 4)
AS_IS = Normalization.uniform(1)


@pytest.fixture
def train(tmp_path):
    split = noise_folder(tmp_path, per_class=7).splits["train"]
    (tmp_path / "a" / "2.png").write_bytes(b"no image")
    return split


def decoded(split, size, **options):
    return on_ranks(size, lambda ranks: decode_split(split, FORMAT, skip_bad=True, ranks=ranks, **options))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_every_rank_knows_of_all_images_and_has_decoded_its_share(train, size):
    whole = decode_split(train, FORMAT, skip_bad=True)
    for images in decoded(train, size):
        assert (images.names, images.bad, images.notes) == (whole.names, whole.bad, whole.notes)
        np.testing.assert_array_equal(images.digests, whole.digests)
        assert 13 // size - 1 <= images.held.sum() <= 13 // size + 1
        assert not images.in_memory


def test_an_image_that_another_rank_has_decoded_is_read_when_it_is_needed_and_then_kept(train):
    whole = decode_split(train, FORMAT, skip_bad=True)
    images = decoded(train, 3)[1]
    before = images.held.copy()
    np.testing.assert_array_equal(images.take(np.array([0, 12, 5])), whole.pixels[[0, 12, 5]])
    assert set(np.flatnonzero(images.held)) == {*np.flatnonzero(before), 0, 5, 12}
    np.testing.assert_array_equal(images.take(np.arange(13)), whole.pixels)
    assert images.in_memory


def test_the_cache_limits_every_rank(train):
    whole = decode_split(train, FORMAT, skip_bad=True)
    for images in decoded(train, 2, cache_bytes=5 * 16):
        np.testing.assert_array_equal(images.take(np.arange(13)), whole.pixels)
        assert len(images.pixels) == 4  # five of the files, one of them bad


def test_a_bad_file_is_an_error_on_every_rank(train):
    def work(ranks):
        with pytest.raises(DataError) as caught:
            decode_split(train, FORMAT, ranks=ranks)
        return str(caught.value)

    assert len(set(on_ranks(3, work))) == 1


def test_the_normalisation_is_that_of_all_images(train):
    expected = Normalization.of(decode_split(train, FORMAT, skip_bad=True))

    def work(ranks):
        return Normalization.of(decode_split(train, FORMAT, skip_bad=True, ranks=ranks), ranks=ranks)

    assert on_ranks(3, work) == [expected] * 3


def test_a_rank_reads_its_run_of_each_batch_and_the_rest_only_if_asked(train):
    whole = decode_split(train, FORMAT, skip_bad=True)
    order = np.random.default_rng(1).permutation(13)
    expected = list(batches(whole, order, 6, 2, AS_IS, np.float32))

    def work(ranks):
        images = decode_split(train, FORMAT, skip_bad=True, ranks=ranks)
        images = replace(images, held=np.zeros_like(images.held))
        found = list(batches(images, order, 6, 2, AS_IS, np.float32, ranks=ranks, threads=2))
        return images, found, int(images.held.sum())

    results = on_ranks(2, work)
    for place, batch in enumerate(expected):
        joined = [part for _, found, _ in results for part in found[place].micro_batches]
        for parts in (joined, results[1][1][place].whole()):
            assert [part.x.tobytes() for part in parts] == [part.x.tobytes() for part in batch.micro_batches]
    assert [held for _, _, held in results] == [8, 5]  # of 6 and 7 images: a single one is joined


def test_ranks_without_any_image_do_no_harm(tmp_path):
    train = noise_folder(tmp_path, per_class=1).splits["train"]
    assert [len(images) for images in decoded(train, 4)] == [2] * 4
    assert [images.held.sum() for images in decoded(train, 4)] == [1, 0, 1, 0]
