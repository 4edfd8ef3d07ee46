"""Image files of one's own as the batch to look at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnbp.arrays import Array
from cnnbp.config import Config
from cnnbp.data.folder import Split
from cnnbp.data.store import decode_split
from cnnbp.errors import ConfigError, DataError
from cnnbp.inspect.images import Images, as_read, class_names, has_folder, training_split
from cnnbp.names import did_you_mean
from cnnbp.training.checkpoint import Checkpoint
from cnnbp.training.loading import image_format

UNKNOWN = -1  # the label of an image whose class nothing tells


def given_images(
    config: Config,
    files: Sequence[Path],
    labels: Sequence[str] = (),
    *,
    trained: Checkpoint | None = None,
    threads: int = 1,
) -> Images:
    """Read image files as the network reads its images.

    A class is the one in `labels`, by name or number, one for each image or one for all; else the name of the folder
    that the image lies in, where that is a class; else UNKNOWN. Raises ConfigError for labels, DataError for images.
    """
    classes, counts = _classes(config, trained)
    names = tuple(map(str, files))
    split = Split(Path(), names, label_indices(labels, len(files), classes) if labels else _by_folder(files, classes))
    images = decode_split(split, image_format(config), skip_bad=True, threads=threads)
    if images.bad:
        raise DataError("; ".join(f"cannot read {bad.name!r}: {bad.reason}" for bad in images.bad))
    x, _ = as_read(config, images, trained, threads)
    source = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    return Images(x, images.labels, names, classes, counts, source)


def label_indices(labels: Sequence[str], count: int, classes: Sequence[str]) -> Array:
    """Return the classes that are named or numbered, (count,). Raises ConfigError."""
    if len(labels) not in (1, count):
        raise ConfigError(f"--labels has {len(labels)} classes for {count} images: give one for each, or one for all")
    return np.array([_index(label, classes) for label in labels] * (count // len(labels)))


def _index(label: str, classes: Sequence[str]) -> int:
    if label in classes:
        return list(classes).index(label)
    if label.isdecimal() and int(label) < len(classes):
        return int(label)
    raise ConfigError(f"--labels: no class {label!r}; {did_you_mean(label, list(classes))}")


def _by_folder(files: Sequence[Path], classes: Sequence[str]) -> Array:
    known = {name: index for index, name in enumerate(classes)}
    return np.array([known.get(file.absolute().parent.name, UNKNOWN) for file in files])


def _classes(config: Config, trained: Checkpoint | None) -> tuple[Sequence[str], Sequence[int]]:
    if trained:
        return trained.classes, [1] * len(trained.classes)
    if has_folder(config):
        classes, counts, _ = training_split(config, None)
        return classes, counts
    names = class_names(config)
    return names, [1] * len(names)
