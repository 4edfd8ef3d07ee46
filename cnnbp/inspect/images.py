"""The batch to look at: a few images of a folder, drawn by the seed, or random numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array
from cnnbp.config import Config, check_against_classes
from cnnbp.data.folder import Split, scan_folder
from cnnbp.data.split import Indices, in_turn
from cnnbp.data.store import BadImage, ImageSet, decode_split
from cnnbp.errors import DataError
from cnnbp.training.checkpoint import Checkpoint
from cnnbp.training.datasets import Subset
from cnnbp.training.loading import data_config, image_format, load_datasets, normalization


@dataclass(frozen=True, eq=False)
class Images:
    """M images x (C, H, W, M) as the network reads them, their classes (M,), their names, and where they are from.

    `class_counts` are the images of each class that there are to train on, `bad` those that could not be read.
    """

    x: Array
    labels: Array
    names: Sequence[str]
    classes: Sequence[str]
    class_counts: Sequence[int]
    source: str
    bad: Sequence[BadImage] = ()


def batch_images(
    config: Config, count: int, *, seed: int | None = None, trained: Checkpoint | None = None, threads: int = 1
) -> Images:
    """Draw images of the configuration's folder where it has one, as `folder_images` does; else random numbers.

    `seed` draws them, by default the configuration's.
    """
    if has_folder(config):
        return folder_images(config, count, seed=seed, trained=trained, threads=threads)
    return random_images(config, count, seed)


def has_folder(config: Config) -> bool:
    """Whether the configuration says where images are."""
    return config.data is not None and config.data.path is not None


def random_images(config: Config, count: int, seed: int | None = None) -> Images:
    """Draw normally distributed numbers in the place of normalised images; the classes take turns."""
    classes = class_names(config)
    x = np.random.default_rng(config.seed if seed is None else seed).normal(size=(*config.input.shape, count))
    labels = np.arange(count) % len(classes)
    names = [f"random {m + 1}" for m in range(count)]
    return Images(x, labels, names, classes, [1] * len(classes), "random numbers")


def class_names(config: Config) -> list[str]:
    """Name the classes that the network's outputs stand for, where no folder does."""
    outputs = config.network.output_shape[0]
    return [f"class {k}" for k in range(next(n for n in (2, outputs) if config.loss.outputs(n) == outputs))]


def folder_images(
    config: Config, count: int, *, seed: int | None = None, trained: Checkpoint | None = None, threads: int = 1
) -> Images:
    """Draw images of the configuration's folder, the classes in turn; only these are decoded.

    They are training images where the folder is laid out in splits. `trained` gives classes and normalisation.
    What cannot be read is left out. Raises ConfigError for a folder that does not suit the network, DataError where
    nothing is left.
    """
    classes, counts, split = training_split(config, trained)
    images = _drawn(config, split, count, config.seed if seed is None else seed, threads)
    x, bad = as_read(config, images, trained, threads)
    return Images(x, images.labels, images.names, classes, counts, str(split.root), bad)


def training_split(config: Config, trained: Checkpoint | None) -> tuple[Sequence[str], Sequence[int], Split]:
    """Scan the configuration's folder: its classes, how many images there are of each to train on, and those."""
    data = data_config(config)
    assert data.path is not None
    folder = scan_folder(data.path, classes=trained.classes if trained else None, allow_empty=data.allow_empty)
    check_against_classes(config, folder.classes)
    split = folder.splits.get("train") or next(iter(folder.splits.values()))
    return folder.classes, np.bincount(split.labels, minlength=len(folder.classes)).tolist(), split


def as_read(
    config: Config, images: ImageSet, trained: Checkpoint | None, threads: int
) -> tuple[Array, Sequence[BadImage]]:
    """Return images as the network reads them, (C, H, W, M), and those of the training images that are bad.

    `normalize: auto` measures the run's training images, else the folder's, and where there is none these.
    """
    seen, bad = Subset("drawn", images, np.arange(len(images))), images.bad
    if not trained and has_folder(config) and data_config(config).normalize == "auto":
        datasets = load_datasets(config, skip_bad=True, threads=threads)
        seen, bad = datasets.train, datasets.bad
    normalize = trained.normalization if trained else normalization(config, seen)
    return normalize.apply(images.take(np.arange(len(images))), np.float64), bad


def _drawn(config: Config, split: Split, count: int, seed: int, threads: int) -> ImageSet:
    order = np.random.default_rng(seed).permutation(len(split.labels))
    drawn = order[in_turn(split.labels[order])[:count]]
    images = decode_split(_only(split, drawn), image_format(config), skip_bad=True, threads=threads)
    if not len(images):
        raise DataError(f"none of the {len(drawn)} images drawn can be read: `cnnbp data {split.root}` says why")
    return images


def _only(split: Split, indices: Indices) -> Split:
    return Split(split.root, tuple(split.names[index] for index in indices), split.labels[indices])
