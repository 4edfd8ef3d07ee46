"""Runs side by side, each on the images that it may be measured on: which is better, and by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np

from cnnbp.arrays import Array
from cnnbp.evaluate.scores import Evaluation

_CHANCE = 0.05  # a difference that chance makes less often than this is told


@dataclass(frozen=True, eq=False)
class Measured:
    """A run, the split and the images that it was measured on, and which of them it got right (N,)."""

    run: str
    split: str
    images: tuple[Path, ...]
    right: Array
    evaluation: Evaluation


@dataclass(frozen=True)
class Beside:
    """A run beside the most accurate one: on how many images either alone is right, None where the images are others.

    `chance` is how often chance alone makes a difference as large as theirs (McNemar's exact test, 1947).
    """

    is_best: bool
    only_this: int | None = None
    only_best: int | None = None
    chance: float | None = None

    @property
    def is_worse(self) -> bool | None:
        """Whether the best one is shown to be better; None where that cannot be told."""
        return None if self.chance is None else self.chance < _CHANCE


def side_by_side(runs: Sequence[Measured]) -> list[Beside]:
    """Hold each run beside the most accurate one, the first of equal ones."""
    best = max(runs, key=lambda run: run.evaluation.accuracy)
    return [Beside(is_best=True) if run is best else _beside(run, best) for run in runs]


def common_images(runs: Sequence[Measured]) -> int | None:
    """Return how many images all runs were measured on, None where those are all that any was measured on."""
    sets = [set(run.images) for run in runs]
    common = set.intersection(*sets)
    return None if all(len(images) == len(common) for images in sets) else len(common)


def _beside(run: Measured, best: Measured) -> Beside:
    if run.images != best.images:
        return Beside(is_best=False)
    this, other = int(np.sum(run.right & ~best.right)), int(np.sum(best.right & ~run.right))
    return Beside(is_best=False, only_this=this, only_best=other, chance=exact_chance(this, other))


def exact_chance(this: int, other: int) -> float:
    """Return the two-sided probability that fair coins fall at least as unevenly as `this` and `other`."""
    tosses = this + other
    tail = sum(comb(tosses, heads) for heads in range(min(this, other) + 1))
    return min(2 * tail / 2**tosses, 1.0)
