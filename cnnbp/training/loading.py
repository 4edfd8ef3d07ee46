"""From a configuration to the images of a job: its folder scanned, decoded and divided."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cnnbp.config import Config, DataConfig, NormalizeConfig, check_against_classes
from cnnbp.data.decode import MODES, ImageFormat
from cnnbp.data.folder import ImageFolder, Split, scan_folder
from cnnbp.data.normalize import Normalization
from cnnbp.data.split import Draw, stratified_fold, stratified_split
from cnnbp.data.store import ImageSet, decode_split, describe_bad_images
from cnnbp.engine.ranks import ALONE, Ranks, require_same
from cnnbp.errors import ConfigError, DataError
from cnnbp.training.datasets import Datasets, Subset, divided
from cnnbp.training.known import KnownImages

Progress = Callable[[str, int, int], None]  # split, images done, images in all


def data_config(config: Config) -> DataConfig:
    """Return the data section with a folder. Raises ConfigError where there is none."""
    if config.data is None or config.data.path is None:
        raise ConfigError("no image folder: give one after the configuration, or set data.path in it")
    return config.data


def image_format(config: Config) -> ImageFormat:
    """Return what every image becomes before the network sees it. Raises ConfigError for channels that files lack."""
    data, channels = config.data or DataConfig(), config.input.channels
    if channels not in MODES:
        raise ConfigError(f"input.channels is {channels}; image files have 1 (grey), 3 (RGB) or 4 (RGBA)")
    return ImageFormat(*config.input.shape, data.fit, data.background, data.max_pixels)


def load_datasets(
    config: Config,
    *,
    skip_bad: bool = False,
    threads: int = 1,
    progress: Progress | None = None,
    ranks: Ranks = ALONE,
    before: KnownImages | None = None,
) -> Datasets:
    """Scan, decode and divide the configuration's folder. Raises DataError, listing every unreadable image.

    All ranks scan it, and each decodes its part. `before` are the images that a run knows that goes on.
    """
    data = data_config(config)
    assert data.path is not None
    folder = scan_folder(data.path, allow_empty=data.allow_empty)
    check_against_classes(config, folder.classes)
    require_same(f"files in {str(folder.root)!r}", _listing(folder), ranks)

    def decode(name: str, split: Split, cache: int) -> ImageSet:
        def tell(done: int) -> None:
            if progress:
                progress(name, done, len(split.files))

        return decode_split(
            split,
            image_format(config),
            skip_bad=True,  # all splits are looked at before any is refused
            progress=tell,
            threads=threads,
            cache_bytes=cache,
            ranks=ranks,
        )

    sets: dict[str, ImageSet] = {}
    for name, split in folder.splits.items():
        sets[name] = decode(name, split, data.cache - sum(images.memory for images in sets.values()))
    bad = [image for images in sets.values() for image in images.bad]
    if bad and not (skip_bad or data.skip_bad):
        raise DataError(describe_bad_images(bad, len(bad) + sum(map(len, sets.values()))))
    return divided(folder, sets, drawing(data, folder.classes, sets), config.seed, before or KnownImages.none())


def drawing(data: DataConfig, classes: Sequence[str], sets: Mapping[str, ImageSet]) -> Draw:
    """Return how validation images are drawn from train. Raises DataError for folds of what cannot be divided so."""
    if data.fold is None:
        return lambda labels, seed: stratified_split(labels, data.validation, seed)
    k, parts = data.fold
    if "val" in sets:
        raise DataError("data.fold divides the training images, but there is a val split, which validates")
    counts = np.bincount(sets["train"].labels, minlength=len(classes))
    if counts.min() < parts:
        few = f"class {classes[int(counts.argmin())]!r} has {counts.min()} images"
        raise DataError(f"{few}, too few for {parts} folds: each needs one of every class")
    return lambda labels, seed: stratified_fold(labels, (k, parts), seed)


def _listing(folder: ImageFolder) -> str:
    """Return the names of all images, in their order, as one text."""
    return "\0".join(name for split in folder.splits.values() for name in split.names)


def normalization(config: Config, train: Subset, ranks: Ranks = ALONE) -> Normalization:
    """Return the configuration's mean and deviation for each channel; `auto` measures the training images."""
    normalize = (config.data or DataConfig()).normalize
    if not isinstance(normalize, NormalizeConfig):
        return Normalization.of(train.images, train.indices, ranks)
    return Normalization(_per_channel(normalize.mean, config), _per_channel(normalize.std, config))


def _per_channel(value: float | Sequence[float], config: Config) -> tuple[float, ...]:
    return tuple(value) if isinstance(value, Sequence) else (value,) * config.input.channels
