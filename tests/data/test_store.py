"""The rules of many images: all bad files at once, the cache, and files that change or vanish."""

import os
from dataclasses import replace

import numpy as np
import pytest

from cnnbp.data import decode, parallel
from cnnbp.data.decode import ImageFormat
from cnnbp.data.folder import scan_folder
from cnnbp.data.store import BadImage, decode_split
from cnnbp.errors import DataError
from tests.data.images import decode_image, noise, noise_folder, save

FORMAT = ImageFormat(channels=1, height=4, width=4)


@pytest.mark.parametrize("slow", [0, 10], ids=["threads are worth it", "threads are not worth it"])
def test_images_are_in_the_order_of_the_split_whatever_the_threads(tmp_path, monkeypatch, slow):
    monkeypatch.setattr(parallel, "_SLOW", slow)
    train = noise_folder(tmp_path, per_class=50).splits["train"]
    sets = [decode_split(train, FORMAT, threads=threads) for threads in (1, 4)]
    for images in sets:
        assert images.names == train.names
        assert images.in_memory
        np.testing.assert_array_equal(images.labels, train.labels)
        for index, file in enumerate(train.files):
            np.testing.assert_array_equal(images.pixels[index], decode_image(file, FORMAT))


def test_every_bad_file_is_listed_with_its_reason(tmp_path):
    noise_folder(tmp_path)
    (tmp_path / "a" / "2.png").write_bytes(b"")
    (tmp_path / "b" / "4.png").write_text("no image")
    with pytest.raises(DataError, match=r"2 of 10 images cannot be read(.|\n)*'a/2.png': .*empty\n.*'b/4.png': its"):
        decode_split(scan_folder(tmp_path).splits["train"], FORMAT)


def test_bad_files_can_be_skipped_and_are_told(tmp_path):
    train = noise_folder(tmp_path).splits["train"]
    images = decode_split(train, FORMAT)
    (tmp_path / "a" / "2.png").write_bytes(b"")
    some = decode_split(train, FORMAT, skip_bad=True)
    keep = np.delete(np.arange(10), 2)
    assert some.bad == (BadImage("a/2.png", "the file is empty"),)
    assert len(some) == len(some.names) == len(some.files) == 9
    np.testing.assert_array_equal(some.pixels, images.pixels[keep])
    np.testing.assert_array_equal(some.labels, images.labels[keep])
    np.testing.assert_array_equal(some.digests, images.digests[keep])


def test_what_decoding_had_to_do_is_counted(tmp_path):
    images = decode_split(noise_folder(tmp_path, size=(9, 9)).splits["train"], FORMAT)
    assert images.notes == {decode.RESIZED: 10}


def test_progress_ends_at_the_number_of_files(tmp_path):
    done = []
    decode_split(noise_folder(tmp_path, per_class=40).splits["train"], FORMAT, progress=done.append, threads=2)
    assert done == sorted(done)
    assert done[-1] == 80


@pytest.mark.parametrize("cached", [0, 3, 10])
def test_images_beyond_the_cache_are_read_again_and_are_the_same(tmp_path, cached):
    train = noise_folder(tmp_path).splits["train"]
    whole, part = (decode_split(train, FORMAT, cache_bytes=size) for size in (1 << 30, cached * 16))
    assert len(part.pixels) == cached
    indices = np.array([9, 0, 3, 3, 2])
    np.testing.assert_array_equal(part.take(indices), whole.take(indices))


def test_a_bad_file_inside_the_cache_moves_the_others_up(tmp_path):
    noise_folder(tmp_path)
    (tmp_path / "a" / "1.png").write_bytes(b"")
    train = scan_folder(tmp_path).splits["train"]
    whole, part = (decode_split(train, FORMAT, skip_bad=True, cache_bytes=size) for size in (1 << 30, 4 * 16))
    assert len(part.pixels) == 3
    np.testing.assert_array_equal(part.take(np.arange(9)), whole.pixels)


def test_a_file_that_vanishes_or_changes_during_a_run_is_an_error_with_its_path(tmp_path):
    images = decode_split(noise_folder(tmp_path).splits["train"], FORMAT, cache_bytes=0)
    (tmp_path / "a" / "0.png").unlink()
    save(tmp_path / "a" / "1.png", noise(4, 4, seed=99))
    with pytest.raises(DataError, match=r"a/0\.png.*No such file"):
        images.take(np.array([0]))
    with pytest.raises(DataError, match=r"a/1\.png.* changed since"):
        images.take(np.array([1]))
    (tmp_path / "a" / "1.png").unlink()
    os.mkfifo(tmp_path / "a" / "1.png")
    with pytest.raises(DataError, match=r"a/1\.png.* no regular file"):
        images.take(np.array([1]))


@pytest.mark.parametrize("slow", [0, 10])
def test_a_progress_that_fails_stops_the_decoding(tmp_path, monkeypatch, slow):
    monkeypatch.setattr(parallel, "_SLOW", slow)

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_split(noise_folder(tmp_path, per_class=100).splits["train"], FORMAT, progress=stop)


def test_an_empty_split_is_an_empty_set(tmp_path):
    (tmp_path / "a").mkdir()
    images = decode_split(scan_folder(tmp_path, allow_empty=True).splits["train"], replace(FORMAT, channels=3))
    assert len(images) == 0
    assert images.take(np.array([], np.intp)).shape == (0, 3, 4, 4)
