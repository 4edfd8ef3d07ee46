"""Noise can only be learned by heart: whatever is done to the folder, what trained a run is never counted as held out.

Of pure noise in two classes half is guessed. A network that knows its training images by heart gets all of those right,
so any that slip into an evaluation are seen in it.
"""

import shutil
from contextlib import suppress
from itertools import product
from random import Random

import numpy as np
import pytest
from PIL import Image

from cnnbp.errors import ConfigError, DataError
from cnnbp.evaluate.images import SplitName, images_to_evaluate
from cnnbp.evaluate.scores import evaluate, measure_images
from cnnbp.training.known import Role
from cnnbp.training.trained import load_trained
from tests.data.images import noise, save
from tests.training.runs import train

CONFIG = """\
input: {channels: 1, height: 8, width: 8}
data: {path: images, normalize: auto}
layers: [flatten, {dense: {units: 128}}, relu, {dense: {units: 2}}]
loss: cross_entropy
train: {epochs: 40, batch_size: 16, optimizer: {adam: {lr: 3e-3}}}
"""
EACH = 50


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    (folder / "c.yaml").write_text(CONFIG)
    for label in range(2):
        for number in range(EACH):
            save(folder / "images" / "ab"[label] / f"{number:02}.png", noise(8, 8, seed=1000 * label + number))
    assert train("c.yaml", "--run", "run", cwd=folder)[0] == 0
    return folder


@pytest.fixture
def noisy(original, tmp_path):
    """A folder of noise and the run that knows it by heart, to be played with."""
    folder = shutil.copytree(original, tmp_path / "noisy")
    config = folder / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(original), str(folder)))
    return folder


def evaluated(run, data=None, split=None, **options):
    """Return what was chosen of a folder, and how good the run is on it."""
    trained = load_trained(run)
    chosen = images_to_evaluate(trained, data, split, **options)
    measurement = measure_images(trained, chosen.subset, threads=1, progress=lambda done: None)
    return chosen, evaluate(measurement, trained.checkpoint.classes, 0)


def truth(original):
    """Return the checkpoint that knows its images by heart, and its accuracy on those that it has not seen."""
    checkpoint = original / "run/checkpoints/last.npz"
    chosen, known = evaluated(checkpoint, split=SplitName.TRAIN)
    assert (chosen.subset.name, known.images, known.accuracy) == ("train", 80, 1.0)
    chosen, held_out = evaluated(checkpoint)
    assert (chosen.subset.name, held_out.images) == ("val", 20)
    assert held_out.accuracy < 0.85
    return held_out.accuracy


def add_one(folder):
    for name in "ab":
        save(folder / "images" / name / "00 first.png", noise(8, 8, seed=ord(name)))


def add_many(folder):
    for number in range(40):
        save(folder / "images" / "ab"[number % 2] / f"{number:02}+.png", noise(8, 8, seed=5000 + number))


def rename(folder):
    for number, path in enumerate(sorted(folder.glob("images/*/*.png"), key=lambda path: path.name[::-1])):
        path.rename(path.with_name(f"{number:04}.new.png"))


def delete_what_trained(folder):
    for path in trained_files(folder)[::2]:
        path.unlink()


def copy_all(folder):
    for path in sorted(folder.glob("images/*/*.png")):
        shutil.copy(path, path.with_name(f"a copy of {path.name}"))


def copy_into_the_other_class(folder):
    for path in sorted(folder.glob("images/a/*.png")):
        shutil.copy(path, folder / "images/b" / f"from a {path.name}")


def save_as_another_format(folder):
    for path in sorted(folder.glob("images/*/*.png")):
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()


def change_what_trained(folder):
    for path in trained_files(folder):
        save(path, np.asarray(Image.open(path)) ^ 1)


def lose_the_list(folder):
    add_many(folder)
    (folder / "run/split.csv").unlink()


def change_the_share(folder):
    config = folder / "run/config.yaml"
    config.write_text(config.read_text().replace("validation: 0.2", "validation: 0.6").replace("seed: 0", "seed: 9"))


def damage_what_trained(folder):
    for path in trained_files(folder)[:5]:
        path.write_bytes(b"no image")


def trained_files(folder):
    """Return the files that trained the run, by the list that it wrote."""
    rows = [line.split(",") for line in (folder / "run/split.csv").read_text().splitlines()]
    return [folder / "images" / row[0] for row in rows if row[2] == "train"]


@pytest.mark.parametrize(
    "change",
    [add_one, add_many, rename, delete_what_trained, copy_all, copy_into_the_other_class, save_as_another_format,
     change_what_trained, lose_the_list, change_the_share, damage_what_trained],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_the_accuracy_does_not_depend_on_what_became_of_the_folder(original, noisy, change):
    accuracy = truth(original)
    change(noisy)
    last = noisy / "run/checkpoints/last.npz"
    moved = shutil.copytree(noisy / "images", noisy / "elsewhere")
    alone = shutil.copy(last, noisy / "alone.npz")
    for run, data in ((last, None), (last, moved), (alone, noisy / "images"), (alone, moved)):
        chosen, found = evaluated(run, data, skip_bad=True)
        assert (chosen.subset.name, found.images, chosen.of, found.accuracy) == ("val", 20, 20, accuracy)


def test_whatever_is_done_nothing_that_trained_is_evaluated_other_than_as_train(noisy):
    """Random changes of all kinds, one upon the other; every split of every layout after each."""
    rng, run = Random(3), load_trained(noisy / "run/checkpoints/last.npz")
    looked = 0
    for step in range(5):
        for path in rng.sample(sorted(noisy.glob("images/**/*.png")), 10):
            change_one(path, rng)
        if step == 3:
            in_three_splits(noisy / "images")
        (noisy / "link").unlink(missing_ok=True)
        (noisy / "link").symlink_to(shutil.copytree(noisy / "images", noisy / f"copy {step}"))
        for data, split in product((None, noisy / "link"), (None, *SplitName)):
            with suppress(ConfigError, DataError):
                subset = images_to_evaluate(run, data, split).subset
                looked += 1
                trained = run.checkpoint.known.roles_of(subset.digests) == Role.TRAIN
                assert trained.all() if subset.name == "train" else not trained.any()
    assert looked > 25


def change_one(path, rng):
    target = path.with_name(f"{rng.random()}.png")
    match rng.randrange(5):
        case 0:
            path.rename(target)
        case 1:
            shutil.copy(path, target)
        case 2:
            path.unlink()
        case 3:
            save(target, noise(8, 8, seed=rng.randrange(10**6)))
        case 4:
            save(path, noise(8, 8, seed=rng.randrange(10**6)))


def in_three_splits(images):
    """Lay a folder out in splits that all hold the same images."""
    for split in ("train", "val", "test"):
        shutil.copytree(images, images.with_name("laid out") / split)
    shutil.rmtree(images)
    images.with_name("laid out").rename(images)


def test_new_changed_renamed_copied_and_missing_images_are_named(noisy):
    images = noisy / "images"
    save(images / "a/new.png", noise(8, 8, seed=77))
    save(images / "a/00.png", noise(8, 8, seed=78))
    (images / "b/01.png").unlink()
    (images / "b/02.png").rename(images / "b/other.png")
    shutil.copy(images / "b/03.png", images / "a/copy.png")
    chosen, _ = evaluated(noisy / "run")
    changes, listed = chosen.changes, ("a/00.png", "b/01.png", "b/02.png")
    assert changes.document(listed) == {
        "missing": ["b/01.png"],
        "unnamed": 0,
        "changed": ("a/00.png",),
        "new": ("a/new.png",),
        "copies": ("a/copy.png",),
        "renamed": ("b/other.png",),
    }
    assert changes.described(()) == (
        "1 missing, 1 changed ('a/00.png'), 1 new ('a/new.png'), 1 copy ('a/copy.png'), 1 renamed ('b/other.png')"
    )
    assert evaluated(noisy / "run", split=SplitName.NEW)[0].subset.names == ("a/new.png",)


def test_images_that_have_changed_their_names_with_each_other_are_renamed(noisy):
    """As whole classes have: no name is new and no image, but every right answer is a wrong one now."""
    images = noisy / "images"
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        (images / old).rename(images / new)
    changes = evaluated(noisy / "run")[0].changes
    assert changes.described(()).startswith(f"{2 * EACH} renamed ('a/00.png', ")


def test_what_is_missing_of_the_held_out_images_makes_the_evaluation_smaller(noisy):
    last = noisy / "run/checkpoints/last.npz"
    names = evaluated(last)[0].subset.names
    for name in names[:5]:
        (noisy / "images" / name).unlink()
    chosen, _ = evaluated(last)
    assert (chosen.subset.names, chosen.of) == (names[5:], 20)
    for name in names[5:]:
        (noisy / "images" / name).unlink()
    with pytest.raises(
        DataError, match=r"no val images of the run: none of the 20 .* it has 80 that trained it \(--sp"
    ):
        evaluated(last)


def test_a_folder_of_others_is_evaluated_without_what_trained(noisy):
    last, other = noisy / "run/checkpoints/last.npz", noisy / "other"
    for number in range(10):
        save(other / "a" / f"{number}.png", noise(8, 8, seed=9000 + number))
    (other / "b").mkdir()
    for path in trained_files(noisy)[-8:]:
        shutil.copy(path, other / "b")
    chosen, found = evaluated(last, other)
    assert (chosen.subset.name, found.images, chosen.roles, chosen.changes) == (
        "all",
        10,
        {Role.TRAIN: 8, Role.NEW: 10},
        None,
    )
    shutil.rmtree(other / "a")
    chosen, found = evaluated(last, other)
    assert (chosen.subset.name, found.images, found.accuracy) == ("train", 8, 1.0)


def test_a_test_folder_of_training_images_is_refused(noisy):
    images, trained = noisy / "images", trained_files(noisy)
    for path in images.glob("*/*.png"):
        if path not in trained:
            path.unlink()
    in_three_splits(images)
    with pytest.raises(DataError, match="has no test images of the run"):
        evaluated(noisy / "run")


def test_a_run_that_goes_on_with_other_images_never_validates_what_trained(noisy):
    last = noisy / "run/checkpoints/last.npz"
    before = load_trained(last).checkpoint.known
    add_many(noisy)
    rename(noisy)
    arguments = ("--resume", noisy / "run", "train.epochs=41", "data.validation=0.5", "seed=4")
    code, _, errors = train(*arguments, cwd=noisy)
    assert code != 0, errors
    code, _, errors = train(*arguments, "--allow-changes", cwd=noisy)
    assert code == 0, errors
    assert "other images than before: 40 new ('a/" in errors
    after = load_trained(last).checkpoint.known
    assert len(after.having(Role.TRAIN)) == 100
    assert not np.isin(after.having(Role.VAL).pixels, before.having(Role.TRAIN).pixels).any()
    assert set(before.having(Role.VAL).pixels) <= set(after.having(Role.VAL).pixels)
    assert evaluated(last)[1].images == 40
