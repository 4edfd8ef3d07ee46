"""What a network's probabilities are worth: do they rank well, and are they as often right as they say?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array

_BINS = 10
_TOP = (2, 3, 5)


@dataclass(frozen=True)
class TopScore:
    """The share of images whose class is among the `k` most probable ones."""

    k: int
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """The images whose most probable class has a probability above `low` and up to `high`; both means are of these."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


def top_scores(probabilities: Array, labels: Array) -> tuple[TopScore, ...]:
    """Return the accuracies for k = 2, 3 and 5, as far as there are more classes; probabilities are (classes, N)."""
    own = probabilities[labels, np.arange(len(labels))]
    above = (probabilities > own).sum(axis=0)  # classes that are more probable
    return tuple(TopScore(k, float((above < k).mean())) for k in _TOP if k < len(probabilities))


def reliability(probabilities: Array, right: Array) -> tuple[Reliability, ...]:
    """Sort the images (N,) into ten bins by the probability of what they are taken for; empty bins are left out."""
    return tuple(_bins(probabilities.max(axis=0), right))


def calibration_error(bins: Sequence[Reliability]) -> float:
    """Return the mean of |accuracy − confidence| over the bins, weighted by their images (Naeini et al. 2015)."""
    total = sum(each.images for each in bins)
    return sum(each.images * abs(each.accuracy - each.confidence) for each in bins) / total


def area_under_curve(scores: Array, positive: Array) -> float | None:
    """Return the area under the ROC curve, None where all images are of one kind.

    It is how often a positive image has a higher score than a negative one, ties counted half (Mann & Whitney 1947).
    """
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]  # from 1, the mean of equal ones
    n, m = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m)) if n and m else None


def _bins(confidence: Array, right: Array) -> Iterator[Reliability]:
    places = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    for place in range(_BINS):
        chosen = places == place
        if chosen.any():
            means = float(confidence[chosen].mean(dtype=np.float64)), float(right[chosen].mean())
            yield Reliability(place / _BINS, (place + 1) / _BINS, int(chosen.sum()), *means)
