"""The images of a job, divided into training, validation and test."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b

import numpy as np

from cnnbp.data.duplicates import find_duplicates
from cnnbp.data.folder import ImageFolder
from cnnbp.data.split import Indices, in_turn
from cnnbp.data.store import BadImage, ImageSet

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
            for name in subset.names:
                content.update(f"{name}\0".encode(*_ANY_NAME))
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
