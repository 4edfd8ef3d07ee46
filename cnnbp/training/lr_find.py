"""A learning-rate range test: the rate rises step by step until the loss explodes (Smith 2017, arXiv:1506.01186)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Self

from cnnbp.data.batches import Batch
from cnnbp.training.divergence import TrainingDiverged
from cnnbp.training.job import Job
from cnnbp.training.state import TrainingState
from cnnbp.training.step import take_step

STEPS = 100
_LOWEST, _HIGHEST = 1e-6, 10.0
_MEMORY = 0.9  # of the smoothed loss
_EXPLODED = 4.0  # times the lowest smoothed loss


@dataclass(frozen=True)
class RatePoint:
    """The loss, smoothed over the steps so far, when a step of this rate is taken."""

    lr: float
    loss: float


@dataclass(frozen=True)
class RateTest:
    """A range test; the suggestion is a tenth of the rate at which the loss was lowest."""

    points: tuple[RatePoint, ...]
    suggestion: float

    @classmethod
    def of(cls, points: Sequence[RatePoint]) -> Self:
        """Draw the conclusion from one or more points."""
        return cls(tuple(points), min(points, key=lambda point: point.loss).lr / 10)


def range_test(job: Job, state: TrainingState) -> Iterator[RatePoint]:
    """Train `state` at rates that rise evenly on a logarithmic scale; ends early when the loss explodes.

    Raises TrainingDiverged where the very first step cannot be taken.
    """
    average, best = 0.0, float("inf")
    for step, batch in zip(range(STEPS), _endless(job), strict=False):
        lr = _LOWEST * (_HIGHEST / _LOWEST) ** (step / (STEPS - 1))
        try:
            loss = take_step(job, state, batch, lr)
        except TrainingDiverged:
            if not step:  # no rate is to blame
                raise
            return
        average = _MEMORY * average + (1 - _MEMORY) * loss
        smoothed = average / (1 - _MEMORY ** (step + 1))
        best = min(best, smoothed)
        if smoothed > _EXPLODED * best:
            return
        yield RatePoint(lr, smoothed)


def _endless(job: Job) -> Iterator[Batch]:
    for epoch in count():
        yield from job.batches(epoch)
