"""How good a trained network is on images whose classes are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from cnnbp.arrays import Array
from cnnbp.display import Shown
from cnnbp.engine import Engine
from cnnbp.evaluate.confidence import (
    Reliability,
    TopScore,
    area_under_curve,
    calibration_error,
    reliability,
    top_scores,
)
from cnnbp.training.datasets import Subset
from cnnbp.training.measure import Measurement, measured, measuring
from cnnbp.training.trained import Trained

_QUANTILE = 1.96  # of the normal distribution, for 95 %


@dataclass(frozen=True)
class ClassScore:
    """One class: its images, how many were taken for it, and how many of both.

    Precision is right/predicted and recall right/images, None where that is 0/0; F1 is their harmonic mean
    2·right/(images + predicted).
    """

    name: str
    images: int
    predicted: int
    right: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class MeanScore:
    """The plain means over the classes that have images; precision is 0 for one of them that is never predicted."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ImageScore:
    """One image: its class, what it was taken for, the probabilities of both, and its loss."""

    name: str
    label: str
    prediction: str
    label_probability: float
    prediction_probability: float
    loss: float


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Shown):
    """A network on N images. `interval` is Wilson's 95 % interval of the accuracy; `confusion` is true × predicted.

    `top` are the accuracies among the k most probable classes; `calibration_error` and `reliability` compare what the
    probabilities say with how often they are right; `area_under_curve` is for two classes, else None.
    """

    images: int
    right: int
    loss: float
    accuracy: float
    interval: tuple[float, float]
    classes: tuple[ClassScore, ...]
    mean: MeanScore
    top: tuple[TopScore, ...]
    area_under_curve: float | None
    calibration_error: float
    reliability: tuple[Reliability, ...]
    confusion: Array
    worst: tuple[ImageScore, ...]

    def __repr__(self) -> str:
        return f"<Evaluation {self.right} of {self.images} right, {self.accuracy:.2%}; loss {self.loss:.4g}>"


def measure_images(trained: Trained, subset: Subset, *, threads: int, progress: Callable[[int], None]) -> Measurement:
    """Run images through a trained network; `progress` is told how many are done."""
    checkpoint, state = trained.checkpoint, trained.checkpoint.state
    planner = trained.config.train.planner
    with Engine(trained.config.network, checkpoint.loss, threads=threads, planner=planner) as engine:
        steps = measuring(
            engine,
            state.parameters,
            state.running_statistics,
            subset,
            checkpoint.normalization,
            trained.config.train.batch_size,
        )
        return measured(steps, progress)


def evaluate(measurement: Measurement, classes: Sequence[str], worst: int) -> Evaluation:
    """Sum a measurement up; `worst` is how many of the images with the largest losses are named."""
    counts = measurement.confusion(len(classes))
    total, right = len(measurement.subset), int(np.trace(counts))
    scores = tuple(_class_score(name, counts, index) for index, name in enumerate(classes))
    probabilities, labels = measurement.probabilities(), measurement.subset.labels
    bins = reliability(probabilities, measurement.predictions == labels)
    return Evaluation(
        images=total,
        right=right,
        loss=measurement.loss,
        accuracy=right / total,
        interval=wilson_interval(right, total),
        classes=scores,
        mean=_mean_score([score for score in scores if score.images]),
        top=top_scores(probabilities, labels),
        area_under_curve=area_under_curve(probabilities[1], labels == 1) if len(classes) == 2 else None,
        calibration_error=calibration_error(bins),
        reliability=bins,
        confusion=counts,
        worst=tuple(_image_scores(measurement, classes, worst)),
    )


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927), which stays within 0…1 also where all are right."""
    share, z2 = right / total, _QUANTILE**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _QUANTILE / (1 + z2 / total) * sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _class_score(name: str, counts: Array, index: int) -> ClassScore:
    images, predicted, right = int(counts[index].sum()), int(counts[:, index].sum()), int(counts[index, index])
    return ClassScore(
        name,
        images,
        predicted,
        right,
        precision=_ratio(right, predicted),
        recall=_ratio(right, images),
        f1=_ratio(2 * right, images + predicted),
    )


def _image_scores(measurement: Measurement, classes: Sequence[str], count: int) -> list[ImageScore]:
    subset, probabilities = measurement.subset, measurement.probabilities()
    names = subset.names
    return [
        ImageScore(
            names[place],
            classes[subset.labels[place]],
            classes[measurement.predictions[place]],
            float(probabilities[subset.labels[place], place]),
            float(probabilities[measurement.predictions[place], place]),
            float(measurement.losses[place]),
        )
        for place in np.argsort(-measurement.losses, kind="stable")[:count]
    ]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean_score(scores: Sequence[ClassScore]) -> MeanScore:
    return MeanScore(
        *(sum(getattr(score, name) or 0.0 for score in scores) / len(scores) for name in ("precision", "recall", "f1"))
    )
