"""Loss and predictions of a trained network on a set of images."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.arrays import Array
from cnnbp.data.batches import Batch, batches
from cnnbp.data.normalize import Normalization
from cnnbp.engine import Engine, Inference, micro_batch_size
from cnnbp.errors import Diverged
from cnnbp.losses import Loss
from cnnbp.parameters import Parameters, Tensors
from cnnbp.training.datasets import Subset


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the network makes of the N images of a subset: logits (K, N) and losses (N,)."""

    subset: Subset
    loss_function: Loss
    logits: Array
    losses: Array

    @property
    def loss(self) -> float:
        """The mean over the images."""
        return float(self.losses.mean(dtype=np.float64))

    @cached_property
    def predictions(self) -> Array:
        """The most probable class of each image (N,)."""
        return self.loss_function.predictions(self.logits)

    @cached_property
    def misclassified(self) -> Array:
        """The places of the images whose class was not found, those with the largest losses first."""
        wrong = np.flatnonzero(self.predictions != self.subset.labels)
        return wrong[np.argsort(-self.losses[wrong], kind="stable")]

    @property
    def accuracy(self) -> float:
        """The share of images whose class was found."""
        return float((self.predictions == self.subset.labels).mean())

    def probabilities(self) -> Array:
        """Return each class's probability for each image (classes, N). Raises Diverged if an output is not finite."""
        bad = np.flatnonzero(~np.isfinite(self.logits).all(axis=0))
        if bad.size:
            name = self.subset.take(bad[:1]).names[0]
            raise Diverged(
                f"the outputs for {bad.size} of {len(self.subset)} images are not finite, {name!r} the first: "
                "parameters or normalised pixels are too large for float32"
            )
        return self.loss_function.probabilities(self.logits)

    def confusion(self, classes: int) -> Array:
        """Return how many images of each class (rows) were taken for which (columns), (classes, classes)."""
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (self.subset.labels, self.predictions), 1)
        return counts


def measuring(
    engine: Engine,
    parameters: Parameters,
    running_statistics: Tensors,
    subset: Subset,
    normalization: Normalization,
    batch_size: int,
) -> Generator[int, None, Measurement]:
    """Run the images through the network; yields how many are done and returns the measurement."""
    results: list[Inference] = []
    done = 0
    for batch in inference_batches(engine, subset, normalization, batch_size, parameters.vector.dtype):
        results.append(engine.infer(parameters, running_statistics, batch.micro_batches))
        done += len(batch.indices)
        yield done
    logits = np.concatenate([result.logits for result in results], axis=1)
    losses = np.concatenate([result.losses for result in results])
    return Measurement(subset, engine.loss, logits, losses)


def measured(measuring: Generator[int, None, Measurement], progress: Callable[[int], None]) -> Measurement:
    """Run `measuring` to its end; `progress` is told how many images are done."""
    while True:
        try:
            progress(next(measuring))
        except StopIteration as end:
            return end.value


def inference_batches(
    engine: Engine, subset: Subset, normalization: Normalization, batch_size: int, dtype: DTypeLike
) -> Iterator[Batch]:
    """Yield the images in their own order, as they are."""
    return batches(
        subset.images,
        subset.indices,
        batch_size,
        micro_batch_size(engine.network, batch_size),
        normalization,
        dtype,
        threads=engine.threads,
        ranks=engine.ranks,
    )
