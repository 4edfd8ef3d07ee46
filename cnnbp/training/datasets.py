"""The images of a job, divided into training, validation and test."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from cnnbp.data.duplicates import Digested, Digests, Pairs, Several, find_copies, find_duplicates, shared
from cnnbp.data.folder import ImageFolder
from cnnbp.data.split import Draw, Indices, in_turn
from cnnbp.data.store import BadImage, ImageSet
from cnnbp.errors import DataError
from cnnbp.training.known import ANY_NAME, KnownImages, Role


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
    def names(self) -> tuple[str, ...]:
        """The images' paths below the scanned folder."""
        return tuple(self.images.names[index] for index in self.indices)

    @property
    def digests(self) -> Digests:
        """A digest of each image's pixels (N,)."""
        return self.images.digests[self.indices]

    def take(self, positions: Indices) -> "Subset":
        """Return the images at some positions of this subset."""
        return Subset(self.name, self.images, self.indices[positions])


@dataclass(frozen=True)
class LeftOut:
    """An image that does not validate or test, because its pixels train: those of `twin`, None for one that is gone."""

    name: str
    twin: str | None


@dataclass(frozen=True, eq=False)
class Datasets:
    """What a job trains, validates and tests on. `validation` may be empty; `test` is None without a test folder.

    `left_out` are images of a val or test folder whose pixels train; `before` is what a run that goes on knew already.
    """

    folder: ImageFolder
    train: Subset
    validation: Subset
    test: Subset | None
    left_out: tuple[LeftOut, ...] = ()
    before: KnownImages = field(default_factory=KnownImages.none)

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
    def seen(self) -> Digested:
        """The images that train and validate."""
        return Several((self.train, self.validation))

    @cached_property
    def known(self) -> KnownImages:
        """What the run knows of its images from now on: what has ever trained it, also if it is gone."""
        parts = [KnownImages.of(subset, Role[name.upper()]) for name, subset in self.splits.items()]
        here = KnownImages.together(parts)
        return KnownImages.together([here, self.before.having(Role.TRAIN).without(here.having(Role.TRAIN).pixels)])

    @property
    def twins(self) -> Pairs:
        """The pairs of images of a split with the same pixels and two classes."""
        return tuple(chain.from_iterable(find_copies(images, images.labels)[1] for images in self._image_sets))

    @property
    def digest(self) -> str:
        """What training sees of the images: names, pixels, classes and which of them validate, as one short text."""
        content = blake2b("\0".join(self.classes).encode(*ANY_NAME), digest_size=16)
        for subset in (self.train, self.validation):
            for name in subset.names:
                content.update(f"{name}\0".encode(*ANY_NAME))
            content.update(subset.digests.tobytes() + subset.labels.tobytes())
        return content.hexdigest()

    @property
    def _image_sets(self) -> list[ImageSet]:
        subsets = [subset for subset in (self.train, self.validation, self.test) if subset is not None]
        return list({id(subset.images): subset.images for subset in subsets}.values())

    def only(self, count: int) -> "Datasets":
        """Return `count` training images, class after class in turn, to train and to validate on; no test split."""
        few = self.train.take(np.sort(in_turn(self.train.labels)[:count]))
        return replace(self, train=few, validation=few, test=None)


def divided(folder: ImageFolder, sets: Mapping[str, ImageSet], draw: Draw, seed: int, before: KnownImages) -> Datasets:
    """Divide the decoded images of a folder; where it has no val split, what validates is drawn from train.

    What trained the run `before` trains again and what validated it validates; only the others are drawn. A copy of a
    training image never validates or tests. Raises DataError where there is nothing to train on.
    """
    images = sets["train"]
    if not len(images):
        raise DataError(f"{str(folder.root)!r} has no image to train on")
    held_out = np.zeros(len(images), np.bool_) if "val" in sets else _held_out(images, draw, seed, before)
    train = Subset("train", images, np.flatnonzero(~held_out))
    parts = {name: Subset(name, sets[name], np.arange(len(sets[name]))) for name in ("val", "test") if name in sets}
    return Datasets(
        folder,
        train,
        _unseen(parts["val"], train, before) if "val" in sets else Subset("val", images, np.flatnonzero(held_out)),
        _unseen(parts["test"], train, before) if "test" in sets else None,
        tuple(chain.from_iterable(_left_out(part, train, before) for part in parts.values())),
        before,
    )


def _held_out(images: ImageSet, draw: Draw, seed: int, before: KnownImages) -> NDArray[np.bool_]:
    """Tell which training images validate (N,): copies go where the first of them goes."""
    _, first, group = np.unique(images.digests, return_index=True, return_inverse=True)
    roles = before.roles_of(images.digests[first])
    validates = roles == Role.VAL  # each group of equal images
    others = np.sort(first[roles > Role.VAL])
    drawn = others[draw(images.labels[others], seed)[1]]
    validates[group[drawn]] = True
    return validates[group]


def _unseen(part: Subset, train: Subset, before: KnownImages) -> Subset:
    """Return the images of a val or test folder that neither train nor have trained."""
    return part.take(np.flatnonzero(~_trained(part, train, before)))


def _left_out(part: Subset, train: Subset, before: KnownImages) -> Iterator[LeftOut]:
    """Yield the others, each with the training image that it is a copy of."""
    seen = part.take(np.flatnonzero(_trained(part, train, before)))
    twins = {name: twin for twin, name in find_duplicates(train, seen)}
    return (LeftOut(name, twins.get(name)) for name in seen.names)


def _trained(part: Subset, train: Subset, before: KnownImages) -> NDArray[np.bool_]:
    return shared(part.digests, train.digests) | (before.roles_of(part.digests) == Role.TRAIN)


def _bad(image_sets: Iterable[ImageSet]) -> tuple[BadImage, ...]:
    return tuple(image for images in image_sets for image in images.bad)


def skipped_files(folder: ImageFolder, image_sets: Sequence[ImageSet]) -> Counter[str]:
    """Count what was passed over, by reason: files that are no images, and images that could not be read."""
    unreadable = len(_bad(image_sets))
    return Counter(folder.skipped) + Counter({"images that cannot be read": unreadable})
