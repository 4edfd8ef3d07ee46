"""Which images a trained network is evaluated on."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import numpy as np

from cnnbp.data.folder import ImageFolder, scan_folder
from cnnbp.data.split import stratified_split
from cnnbp.data.store import ImageSet, decode_split
from cnnbp.errors import ConfigError, DataError
from cnnbp.training.datasets import Subset
from cnnbp.training.loading import data_config, image_format
from cnnbp.training.trained import Trained

ALL = "all"  # the split of a folder that is not laid out in splits


class SplitName(StrEnum):
    """What can be evaluated, in the order in which it is looked for."""

    TEST = "test"
    VAL = "val"
    TRAIN = "train"


def images_to_evaluate(
    trained: Trained,
    data: Path | None = None,
    split: SplitName | None = None,
    *,
    skip_bad: bool = False,
    threads: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Subset, ImageFolder]:
    """Scan a folder, by default the run's own, and decode one split of it: `split`, or the first of test, val, train.

    In the run's own folder the images that trained it are known: val is then what was held out of train. Another
    folder without splits is evaluated as a whole. Raises ConfigError for a split that is not there; DataError for a
    class that the run does not know, for images that cannot be read, and where there are none.
    """
    config = trained.for_images(data)
    section = data_config(config)
    assert section.path is not None
    folder = scan_folder(section.path, classes=trained.checkpoint.classes, allow_empty=True)
    share = section.validation if _same_folder(section.path, trained) and "val" not in folder.splits else 0.0
    wanted = _chosen(folder, split, has_held_out=share > 0)
    source = wanted if wanted in folder.splits else "train"

    def tell(done: int) -> None:
        if progress:
            progress(wanted, done, len(folder.splits[source].files))

    images = decode_split(
        folder.splits[source],
        image_format(config),
        skip_bad=skip_bad,
        progress=tell,
        threads=threads,
        cache_bytes=section.cache,
    )
    subset = _part(images, wanted, share, config.seed)
    if not subset and split is None:  # of classes with one image each, none was held out
        subset = _part(images, "train", share, config.seed)
    if not subset:
        raise DataError(f"{str(section.path)!r} has no {wanted} images of the classes that the run knows")
    return subset, folder


def _chosen(folder: ImageFolder, split: SplitName | None, *, has_held_out: bool) -> str:
    there = [name for name in SplitName if name in folder.splits or (name == "val" and has_held_out)]
    if split is None:
        return ALL if there == ["train"] else there[0]
    if split not in there:
        raise ConfigError(f"{str(folder.root)!r} has no {split} split; there is {', '.join(there)}")
    return split


def _part(images: ImageSet, split: str, held_out_share: float, seed: int) -> Subset:
    """Return the images of a split; where a share of train was held out, val and train are the two parts of it."""
    if split in ("val", "train") and held_out_share:
        kept, held_out = stratified_split(images.labels, held_out_share, seed)
        return Subset(split, images, held_out if split == "val" else kept)
    return Subset(split, images, np.arange(len(images)))


def _same_folder(path: Path, trained: Trained) -> bool:
    own = trained.config.data
    return own is not None and own.path is not None and own.path.resolve() == path.resolve()
