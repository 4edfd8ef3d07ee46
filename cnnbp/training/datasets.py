"""The images of a job: scanned, decoded, and divided into training, validation and test."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b

import numpy as np

from cnnbp.config import Config, DataConfig, NormalizeConfig, check_against_classes
from cnnbp.data.decode import ImageFormat
from cnnbp.data.duplicates import find_duplicates
from cnnbp.data.folder import ImageFolder, Split, scan_folder
from cnnbp.data.normalize import Normalization
from cnnbp.data.split import Indices, in_turn, stratified_split
from cnnbp.data.store import BadImage, ImageSet, decode_split, describe_bad_images
from cnnbp.engine.ranks import ALONE, Ranks
from cnnbp.errors import ConfigError, DataError
from cnnbp.training.agreement import require_same

Progress = Callable[[str, int, int], None]  # split, images done, images in all

_ANY_NAME = ("utf-8", "surrogatepass")  # a file's name may be bytes of no encoding


@dataclass(frozen=True, eq=False)
class Subset:
    """Some images of a set, under the name of their split: train, val or test."""

    name: str
    images: ImageSet
    indices: Indices

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def labels(self) -> Indices:
        """The class of each image (N,)."""
        return self.images.labels[self.indices]

    @property
    def names(self) -> list[str]:
        """The images' paths below the scanned folder."""
        return [self.images.names[index] for index in self.indices]

    def take(self, positions: Indices) -> "Subset":
        """Return the images at some positions of this subset."""
        return Subset(self.name, self.images, self.indices[positions])


@dataclass(frozen=True, eq=False)
class Datasets:
    """What a job trains, validates and tests on. `validation` may be empty; `test` is None without a test folder."""

    folder: ImageFolder
    train: Subset
    validation: Subset
    test: Subset | None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their labels."""
        return self.folder.classes

    @property
    def class_counts(self) -> list[int]:
        """The training images of each class."""
        return np.bincount(self.train.labels, minlength=len(self.classes)).tolist()

    @property
    def splits(self) -> dict[str, Subset]:
        """The subsets by name, without those that are not there."""
        return {subset.name: subset for subset in (self.train, self.validation, self.test) if subset}

    @property
    def skipped(self) -> Counter[str]:
        """What was passed over, by reason: files that are no images, and images that could not be read."""
        return skipped_files(self.folder, self._image_sets)

    @property
    def bad(self) -> tuple[BadImage, ...]:
        """The images that could not be read."""
        return _bad(self._image_sets)

    @property
    def notes(self) -> Counter[str]:
        """What decoding had to do, and to how many images."""
        return sum((Counter(images.notes) for images in self._image_sets), Counter())

    @property
    def duplicates(self) -> list[tuple[str, str]]:
        """The pairs (training image, other image) with the same pixels."""
        others = [subset for name, subset in self.splits.items() if name != "train"]
        return [
            pair
            for other in others
            for pair in find_duplicates(self.train.images, other.images, self.train.indices, other.indices)
        ]

    @property
    def digest(self) -> str:
        """What training sees of the images: names, pixels, classes and which of them validate, as one short text."""
        content = blake2b("\0".join(self.classes).encode(*_ANY_NAME), digest_size=16)
        for subset in (self.train, self.validation):
            content.update("\0".join([*subset.names, ""]).encode(*_ANY_NAME))
            content.update(subset.images.digests[subset.indices].tobytes() + subset.labels.tobytes())
        return content.hexdigest()

    @property
    def _image_sets(self) -> list[ImageSet]:
        subsets = [subset for subset in (self.train, self.validation, self.test) if subset is not None]
        return list({id(subset.images): subset.images for subset in subsets}.values())

    def only(self, count: int) -> "Datasets":
        """Return `count` training images, class after class in turn, to train and to validate on; no test split."""
        few = self.train.take(np.sort(in_turn(self.train.labels)[:count]))
        return replace(self, train=few, validation=few, test=None)


def _bad(image_sets: Iterable[ImageSet]) -> tuple[BadImage, ...]:
    return tuple(image for images in image_sets for image in images.bad)


def skipped_files(folder: ImageFolder, image_sets: Sequence[ImageSet]) -> Counter[str]:
    """Count what was passed over, by reason: files that are no images, and images that could not be read."""
    unreadable = len(_bad(image_sets))
    return Counter(folder.skipped) + Counter({"images that cannot be read": unreadable})


def data_config(config: Config) -> DataConfig:
    """Return the data section with a folder. Raises ConfigError where there is none."""
    if config.data is None or config.data.path is None:
        raise ConfigError("no image folder: give one after the configuration, or set data.path in it")
    return config.data


def image_format(config: Config) -> ImageFormat:
    """Return what every image becomes before the network sees it."""
    data = config.data or DataConfig()
    return ImageFormat(*config.input.shape, data.fit, data.background, data.max_pixels)


def load_datasets(
    config: Config,
    *,
    skip_bad: bool = False,
    threads: int = 1,
    progress: Progress | None = None,
    ranks: Ranks = ALONE,
) -> Datasets:
    """Scan, decode and split the configuration's folder. Raises DataError, listing every unreadable image.

    All ranks scan it, and each decodes its part.
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
    bad = _bad(sets.values())
    if bad and not skip_bad:
        raise DataError(describe_bad_images(bad, len(bad) + sum(map(len, sets.values()))))
    return _divided(folder, sets, data.validation, config.seed)


def _divided(folder: ImageFolder, sets: Mapping[str, ImageSet], share: float, seed: int) -> Datasets:
    images = sets["train"]
    if not len(images):
        raise DataError(f"{str(folder.root)!r} has no image to train on")
    if "val" in sets:
        train, validation = _all("train", sets), _all("val", sets)
    else:
        kept, held_out = stratified_split(images.labels, share, seed)
        train, validation = Subset("train", images, kept), Subset("val", images, held_out)
    return Datasets(folder, train, validation, _all("test", sets) if "test" in sets else None)


def _all(name: str, sets: Mapping[str, ImageSet]) -> Subset:
    return Subset(name, sets[name], np.arange(len(sets[name])))


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
