"""What a trained network takes images for whose class nobody knows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import numpy as np

from cnnbp.data.folder import Split
from cnnbp.data.store import BadImage, ImageSet, decode_split
from cnnbp.data.walk import Walk, by_parts
from cnnbp.engine import Engine
from cnnbp.errors import DataError
from cnnbp.training.datasets import Subset
from cnnbp.training.known import Role
from cnnbp.training.loading import image_format
from cnnbp.training.measure import measured, measuring
from cnnbp.training.trained import Trained


@dataclass(frozen=True)
class Guess:
    """A class and its probability."""

    name: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """An image's most probable classes, the first the most, and what it was to the run: train, val, test or new."""

    image: str
    top: tuple[Guess, ...]
    role: Role

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.top[0].name

    @property
    def probability(self) -> float:
        """Its probability."""
        return self.top[0].probability


@dataclass(frozen=True)
class Predictions:
    """Some files' predictions in their order, and those that cannot be read."""

    predictions: tuple[Prediction, ...]
    bad: tuple[BadImage, ...]


@dataclass(frozen=True)
class FoundImages:
    """The files to look at, what there is instead of an image, and what was passed over in folders, by reason."""

    files: tuple[Path, ...]
    bad: tuple[BadImage, ...]
    skipped: Counter[str]


def find_images(paths: Iterable[Path]) -> FoundImages:
    """Return files as they are given, and the images of folders, sorted; whether they can be read is seen later."""
    files: list[Path] = []
    bad: list[BadImage] = []
    skipped: Counter[str] = Counter()
    for path in paths:
        try:
            found = _images_at(path, skipped)
        except DataError as error:
            bad.append(BadImage(str(path), str(error)))
        else:
            files += found
    return FoundImages(tuple(files), tuple(bad), skipped)


def predict(trained: Trained, files: Sequence[Path], *, top: int, threads: int) -> Iterator[Predictions]:
    """Yield what the files are taken for, some files at a time; those that cannot be read stop nothing."""
    config = trained.config
    size = config.train.batch_size
    with Engine(config.network, trained.checkpoint.loss, threads=threads, planner=config.train.planner) as engine:
        for start in range(0, len(files), size):
            chosen = tuple(files[start : start + size])
            unlabelled = Split(Path(), tuple(map(str, chosen)), np.zeros(len(chosen), np.intp))
            images = decode_split(unlabelled, image_format(config), skip_bad=True, threads=threads)
            yield Predictions(tuple(_predictions(engine, trained, images, top)), images.bad)


def _images_at(path: Path, skipped: Counter[str]) -> list[Path]:
    """Return a file itself; of a folder, its images, sorted. Raises DataError where there is none of these."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise DataError(error.strerror) from error
    if S_ISREG(mode):
        return [path]
    if not S_ISDIR(mode):
        raise DataError("it is neither a file nor a folder")
    walk = Walk(path)
    found = [path / name for name in sorted(walk.images(), key=by_parts)]
    skipped.update(walk.skipped)
    if not found:
        raise DataError("the folder has no images")
    return found


def _predictions(engine: Engine, trained: Trained, images: ImageSet, top: int) -> Iterator[Prediction]:
    if not len(images):
        return
    checkpoint, state = trained.checkpoint, trained.checkpoint.state
    batches = measuring(
        engine,
        state.parameters,
        state.running_statistics,
        Subset("given", images, np.arange(len(images))),
        checkpoint.normalization,
        len(images),
    )
    probabilities = measured(batches, lambda done: None).probabilities()  # (classes, N)
    roles = checkpoint.known.roles_of(images.digests)
    for name, column, role in zip(images.names, probabilities.T, roles, strict=True):
        order = np.argsort(-column, kind="stable")[:top]
        guesses = tuple(Guess(checkpoint.classes[k], float(column[k])) for k in order)
        yield Prediction(name, guesses, Role(role))
