"""What images are taken for: arrays, or files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from threading import Lock

import numpy as np

from cnnbp.api.given import require_finite
from cnnbp.arrays import Array
from cnnbp.data.decode import ImageFormat, read_image
from cnnbp.data.duplicates import digest
from cnnbp.data.opening import UnreadableImage, muted_pillow
from cnnbp.data.store import BadImage
from cnnbp.engine import micro_batch_size
from cnnbp.evaluate.predictions import Guess, Prediction
from cnnbp.tape import infer
from cnnbp.training.checkpoint import Checkpoint
from cnnbp.training.known import Role

PILLOW = Lock()  # two threads cannot both mute its warnings


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(Sequence[Prediction]):
    """What M images are taken for, a Prediction for each; `probabilities` (classes, M) are those of every class.

    `bad` are the files that could not be read and were left out.
    """

    classes: tuple[str, ...]
    probabilities: Array
    predictions: tuple[Prediction, ...]
    bad: tuple[BadImage, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The most probable class of each image."""
        return tuple(prediction.label for prediction in self.predictions)

    def __len__(self) -> int:
        return len(self.predictions)

    def __getitem__(self, index: int) -> Prediction:  # type: ignore[override]  # a slice would be half of it
        return self.predictions[index]

    def __repr__(self) -> str:
        shown = ", ".join(f"{one.image}: {one.label} {one.probability:.1%}" for one in self.predictions[:3])
        return f"<{len(self)} predictions; {shown}{', …' * (len(self) > 3)}>"

    def _repr_html_(self) -> str:
        from cnnbp.report.notebook import predictions_html  # only a notebook needs it

        return predictions_html(self.predictions)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Some images (m, C, H, W), with their names; only of pixels that the run may have seen there are digests."""

    pixels: Array
    names: Sequence[str]
    digests: Sequence[int]

    @classmethod
    def of_arrays(cls, x: Array) -> "Pixels":
        """Return images (C, H, W, M)."""
        pixels = x.transpose(3, 0, 1, 2)
        digests = [digest(image) for image in pixels] if x.dtype == np.uint8 else []
        return cls(pixels, [f"images[{m}]" for m in range(len(pixels))], digests)


def decoded(files: Iterable[Path], image_format: ImageFormat, size: int, bad: list[BadImage]) -> Iterator[Pixels]:
    """Decode files, so many at a time; those that cannot be read are added to `bad`."""
    files = iter(files)
    while some := list(islice(files, size)):
        found: dict[str, Array] = {}
        with PILLOW, muted_pillow():
            for file in some:
                try:
                    found[str(file)] = read_image(file, image_format).pixels
                except UnreadableImage as error:
                    bad.append(BadImage(str(file), error.reason))
        if found:
            yield Pixels(np.stack([*found.values()]), [*found], [digest(pixels) for pixels in found.values()])


def predicted(checkpoint: Checkpoint, parts: Iterable[Pixels], top: int, bad: list[BadImage]) -> Predictions:
    """Run images through a trained network on one core; no two calls share anything that changes."""
    results = [_predicted(checkpoint, part, top) for part in parts]
    probabilities = [probability for probability, _ in results] or [np.empty((len(checkpoint.classes), 0), np.float32)]
    predictions = tuple(chain.from_iterable(part for _, part in results))
    return Predictions(checkpoint.classes, np.concatenate(probabilities, axis=1), predictions, tuple(bad))


def _predicted(checkpoint: Checkpoint, part: Pixels, top: int) -> tuple[Array, list[Prediction]]:
    logits = np.concatenate([*_logits(checkpoint, part.pixels)], axis=1)
    require_finite(logits, "what the network makes of them")
    probabilities = checkpoint.loss.probabilities(logits)
    known = checkpoint.known.roles_of(np.array(part.digests, np.uint64)) if part.digests else None
    return probabilities, [
        Prediction(name, _guesses(checkpoint.classes, column, top), Role.NEW if known is None else Role(known[m]))
        for m, (name, column) in enumerate(zip(part.names, probabilities.T, strict=True))
    ]


def _logits(checkpoint: Checkpoint, pixels: Array) -> Iterator[Array]:
    network, state = checkpoint.config.network, checkpoint.state
    planner = checkpoint.config.train.planner
    size = micro_batch_size(network, checkpoint.config.train.batch_size)
    for start in range(0, len(pixels), size):
        x = checkpoint.normalization.apply(pixels[start : start + size], np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # no warnings: who asked looks at the numbers
            yield infer(network, state.parameters, state.running_statistics, x, planner)


def _guesses(classes: Sequence[str], column: Array, top: int) -> tuple[Guess, ...]:
    order = np.argsort(-column, kind="stable")[:top]
    return tuple(Guess(classes[k], float(column[k])) for k in order)
