"""Published formats become image folders: pixel by pixel what the files hold, or nothing at all."""

import gzip
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnbp.data.folder import scan_folder
from cnnbp.data.imports.importing import import_files
from cnnbp.errors import ConfigError, DataError
from tests.data.imports.made import CLASSES, cifar_records, folders, idx, mnist, noise, png, tar, zipped


@pytest.fixture
def target(tmp_path):
    return tmp_path / "made"


def read(folder, split, name):
    """Return the images of a class in their order."""
    return [np.asarray(Image.open(path)) for path in sorted((folder / split / name).iterdir())]


def assert_is(folder, split, images, labels, names):
    for label, name in enumerate(names):
        expected = [image for image, own in zip(images, labels, strict=True) if own == label]
        np.testing.assert_array_equal(read(folder, split, name), expected)


def test_mnists_four_files_are_two_splits_with_the_same_pixels(tmp_path, target):
    files, content = mnist(tmp_path)
    imported = import_files(files, target)
    assert imported.splits == {"train": 12, "test": 5}
    for split, (x, y) in content.items():
        assert_is(target, split, x, y, "012")


def test_the_files_may_come_in_any_order_and_in_an_archive(tmp_path, target):
    files, content = mnist(tmp_path)
    archive = zipped(tmp_path / "mnist.zip", [(f"MNIST/raw/{file.name}", file.read_bytes()) for file in files[::-1]])
    import_files([archive], target)
    assert_is(target, "train", *content["train"], "012")


def cifar10(path, mode="w:gz"):
    entries, content = [("cifar/readme.html", b"<html>")], {"train": [], "test": []}
    for number, name in enumerate(["data_batch_1", "data_batch_2", "test_batch"]):
        labels = np.arange(15) % 10
        records, pixels = cifar_records(15, labels, seed=number)
        entries.append((f"cifar/{name}.bin", records))
        content["test" if "test" in name else "train"].append((pixels, labels))
    entries.insert(2, ("cifar/batches.meta.txt", "\n".join((*CLASSES, "", "")).encode()))
    return tar(path, entries, mode), content


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_cifar_10_is_named_by_its_own_names(tmp_path, target, mode):
    archive, content = cifar10(tmp_path / "cifar.tar", mode)
    imported = import_files([archive], target)
    assert imported.classes == CLASSES
    assert imported.skipped == {"files of other types": 1}
    for split, batches in content.items():
        pixels, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        assert_is(target, split, pixels, labels, CLASSES)


@pytest.mark.parametrize(("coarse", "classes"), [(False, 100), (True, 20)])
def test_cifar_100_has_two_kinds_of_labels(tmp_path, target, coarse, classes):
    records = bytearray(cifar_records(3, [0], label_bytes=2)[0])
    for n, (many, few) in enumerate([(7, 3), (99, 19), (0, 1)]):
        records[n * 3074 : n * 3074 + 2] = bytes([few, many])
    (tmp_path / "train.bin").write_bytes(records)
    names = [f"name{n}" for n in range(classes)]
    for kind in ("fine", "coarse"):
        (tmp_path / f"{kind}_label_names.txt").write_text("\n".join(names[:20] if kind == "coarse" else names))
    sources = [tmp_path / "train.bin", tmp_path / f"{'coarse' if coarse else 'fine'}_label_names.txt"]
    assert set(import_files(sources, target, coarse=coarse).classes) == (
        {"name3", "name19", "name1"} if coarse else {"name7", "name99", "name0"}
    )


def test_numbers_of_classes_are_as_wide_as_the_largest(tmp_path, target):
    (tmp_path / "train.bin").write_bytes(cifar_records(2, [3, 99], label_bytes=2)[0])
    assert import_files([tmp_path / "train.bin"], target).classes == ("03", "99")


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("X", "Y"), ("data", "target")])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_is_found_by_its_usual_names(tmp_path, target, names, save):
    x, y = noise(6, 5, 4), np.arange(6) % 2
    save(tmp_path / "some.npz", **dict(zip(names, (x, y), strict=True)))
    import_files([tmp_path / "some.npz"], target, classes=["no", "yes"])
    assert_is(target, "", x, y, ("no", "yes"))


def test_an_npz_may_have_splits(tmp_path, target):
    arrays = {}
    for seed, (split, count) in enumerate((("train", 6), ("val", 4), ("test", 2))):
        arrays |= {
            f"{split}_images": noise(count, 5, 4, 3, seed=seed),
            f"{split}_labels": np.arange(count)[:, None] % 2,
        }
    np.savez(tmp_path / "some.npz", **arrays)
    assert import_files([tmp_path / "some.npz"], target).splits == {"train": 6, "val": 4, "test": 2}
    assert_is(target, "val", arrays["val_images"], arrays["val_labels"][:, 0], "01")


GREY = noise(4, 6, 6)
COLOUR = noise(4, 6, 5, 3)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (GREY[..., None], GREY),
        (GREY[:, None], GREY),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR),
        (GREY.reshape(4, 36), GREY),
        (GREY.astype(np.int64), GREY),
        (GREY.astype(np.float32), GREY),
        (GREY / 255, GREY),
        (GREY.astype(">u2"), GREY),
        (GREY > 127, (GREY > 127) * np.uint8(255)),
    ],
)
def test_axes_and_levels_are_read_as_they_are_meant(tmp_path, target, x, expected):
    np.savez(tmp_path / "some.npz", x=x, y=np.eye(2)[[0, 1, 0, 1]])
    import_files([tmp_path / "some.npz"], target)
    assert_is(target, "", expected, [0, 1, 0, 1], "01")


@pytest.mark.parametrize("pack", [tar, zipped])
@pytest.mark.parametrize(
    ("names", "made"),
    [
        (["a/1.png", "b/1.png", "b/2.png"], ["a/1.png", "b/1.png", "b/2.png"]),
        (["photos/all/a/1.png", "photos/all/b/1.png"], ["a/1.png", "b/1.png"]),
        (["x/train/a/1.png", "x/train/b/1.png", "x/test/a/1.png"], ["test/a/1.png", "train/a/1.png", "train/b/1.png"]),
        (["x/train/a/1.png", "x/train/b/1.png"], ["train/a/1.png", "train/b/1.png"]),
        (["./a/1.png", "./b/1.png", "__MACOSX/a/._1.png", "a/.DS_Store", "a/notes.txt"], ["a/1.png", "b/1.png"]),
    ],
)
def test_folders_come_out_of_archives_byte_by_byte_without_what_is_around_them(tmp_path, target, pack, names, made):
    archive = pack(tmp_path / "archive", folders(*names))
    import_files([archive], target)
    found = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert found == made
    assert {path.read_bytes() for path in target.rglob("*.png")} <= {content for _, content in folders(*names)}
    scan_folder(target)


def test_progress_counts_to_the_number_of_images(tmp_path, target):
    files, _ = mnist(tmp_path)
    told = []
    import_files(files, target, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 17) for done in range(1, 18)]


def write(path, content):
    path.write_bytes(content)
    return path


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


IMAGES = noise(4, 6, 6)
LABELS = np.array([0, 1, 0, 1], np.uint8)
REFUSED = {
    "no file": (lambda folder: folder / "absent", "No such file"),
    "a folder": (lambda folder: folder, "Is a directory"),
    "empty": (lambda folder: write(folder / "a", b""), "the file is empty"),
    "text": (
        lambda folder: write(folder / "a.txt", b"hello"),
        "no images were found: 1 files of other types; read are",
    ),
    "pickle": (lambda folder: write(folder / "data_batch_1", b"\x80\x02}q\x00."), "a pickle, which runs code"),
    "python cifar": (
        lambda folder: tar(folder / "a.tar.gz", [("cifar-10-batches-py/data_batch_1", b"\x80\x02}q\x00.")]),
        r"is a pickle, which runs code when it is read; CIFAR has a binary version",
    ),
    "parquet": (lambda folder: write(folder / "a.parquet", b"PAR1aaaa"), "Parquet"),
    "no labels": (lambda folder: write(folder / "train-images-idx3-ubyte", idx(IMAGES)), "4 images .* and no labels"),
    "cut IDX": (lambda folder: write(folder / "train-images-idx3-ubyte", idx(IMAGES)[:-1]), "143 bytes are there"),
    "cut gz": (lambda folder: write(folder / "l-idx1.gz", gzip.compress(idx(noise(9999)))[:-9]), "before the end"),
    "header only": (lambda folder: write(folder / "a-labels", b"\0\0\x08\x01\0"), "middle of its header"),
    "half a record": (
        lambda folder: write(folder / "data_batch.bin", bytes(3072)),
        "no whole number of CIFAR's records",
    ),
    "label 10": (lambda folder: write(folder / "data_batch.bin", cifar_records(2, [10])[0]), "label 10 of 10 classes"),
    "only a test": (lambda folder: write(folder / "test.bin", cifar_records(2, [1])[0]), "no images to train on"),
    "objects": (lambda folder: saved(folder / "a.npz", x=np.array([{}, 1], object), y=[0, 1]), "Python objects"),
    "other arrays": (
        lambda folder: saved(folder / "a.npz", a=IMAGES, b=LABELS),
        "its arrays are a, b; needed are x and",
    ),
    "unequal": (lambda folder: saved(folder / "a.npz", x=IMAGES, y=LABELS[:3]), "4 images and 3 labels do not belong"),
    "two of one": (lambda folder: saved(folder / "a.npz", x=IMAGES, images=IMAGES, y=LABELS), "could both be meant"),
    "negative": (lambda folder: saved(folder / "a.npz", x=IMAGES, y=LABELS - 1.0), "whole numbers from 0 on"),
    "no one-hot": (lambda folder: saved(folder / "a.npz", x=IMAGES, y=np.ones((4, 3))), "need one 1 in each row"),
    "levels": (lambda folder: saved(folder / "a.npz", x=IMAGES * 300.0, y=LABELS), "neither 0 to 255 nor 0 to 1"),
    "nan": (lambda folder: saved(folder / "a.npz", x=IMAGES * np.nan, y=LABELS), "neither 0 to 255 nor 0 to 1"),
    "four channels": (lambda folder: saved(folder / "a.npz", x=noise(4, 6, 6, 4), y=LABELS), "cannot be told"),
    "Fortran": (
        lambda folder: saved(folder / "a.npz", x=np.asfortranarray(IMAGES), y=LABELS),
        "lies in Fortran's order: np.ascontiguousarray turns it",
    ),
    "loose images": (
        lambda folder: zipped(folder / "a.zip", folders("1.png", "2.png")),
        "no image folder: 2 images but no class folders in .*made'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_named_and_nothing_is_left_behind(tmp_path, target, what):
    (folder := tmp_path / "sources").mkdir()
    make, message = REFUSED[what]
    with pytest.raises(DataError, match=message):
        import_files([make(folder)], target)
    assert [*tmp_path.iterdir()] == [folder]


def test_a_name_for_each_label_is_needed_that_can_be_a_folders(tmp_path, target):
    archive, _ = cifar10(tmp_path / "cifar.tar")
    with pytest.raises(ConfigError, match="--classes names 2, and there is a label 9"):
        import_files([archive], target, classes=["a", "b"])
    for names in (("a/b", *CLASSES[1:]), (".a", *CLASSES[1:]), ("Bird", *CLASSES[1:])):
        with pytest.raises(DataError, match=r"cannot be the name|is there twice"):
            import_files([archive], target, classes=names)


def test_what_is_there_is_not_touched(tmp_path, target):
    archive = zipped(tmp_path / "a.zip", folders("a/1.png", "b/1.png"))
    target.mkdir()
    with pytest.raises(DataError, match="is there already"):
        import_files([archive], target)
    (partial := Path(f"{tmp_path / 'other'}.partial")).mkdir()
    with pytest.raises(DataError, match=r"other\.partial' is left from an import that was stopped"):
        import_files([archive], tmp_path / "other")
    assert partial.is_dir()
    with pytest.raises(DataError, match="cannot make the folder"):
        import_files([archive], tmp_path / "absent" / "other")


def test_an_import_that_is_stopped_leaves_nothing(tmp_path, target):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_files([zipped(tmp_path / "a.zip", folders("a/1.png", "b/1.png"))], target, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_folder_that_cannot_be_removed_is_named(tmp_path, target, monkeypatch):
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    with pytest.raises(DataError, match=r"no image folder.*made\.partial' is left half-written: remove it"):
        import_files([zipped(tmp_path / "a.zip", folders("1.png"))], target)


def test_memory_does_not_grow_with_the_file(tmp_path, target):
    peaks = []
    for count in (20, 80):
        x = np.zeros((count, 500, 500), np.uint8)
        np.savez(tmp_path / f"{count}.npz", x=x, y=np.arange(count) % 2)
        del x
        tracemalloc.start()
        import_files([tmp_path / f"{count}.npz"], tmp_path / str(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert all(later < earlier + 2e6 for earlier, later in pairwise(peaks))
    assert max(peaks) < 8e6


def test_twice_the_same_import_is_refused_by_name(tmp_path, target):
    archive = zipped(tmp_path / "a.zip", folders("a/1.png", "b/1.png"))
    with pytest.raises(DataError, match=r"'a/1\.png' is there twice"):
        import_files([archive, archive], target)
    assert png(0) != png(1)
