"""Trials before a run, which write nothing: one step, a few images learned by heart, a range of learning rates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import mean
from time import perf_counter
from typing import Self

from cnnbp.config import Config, DataConfig
from cnnbp.data.batches import Batch
from cnnbp.schedules import Constant
from cnnbp.training.divergence import TrainingDiverged
from cnnbp.training.job import Job
from cnnbp.training.loop import EpochEvent, Event, learning_rate, train
from cnnbp.training.state import TensorStep, TrainingState
from cnnbp.training.step import take_step

# Overfitting: the most epochs, and the share of the loss of equal probabilities that counts as learned.
EPOCHS = 1000
GOAL = 0.01

# The range test: steps, rates, how much the smoothed loss keeps of itself, and how many times the lowest ends it.
STEPS = 100
_LOWEST, _HIGHEST = 1e-6, 10.0
_MEMORY = 0.9
_EXPLODED = 4.0
_AT_START = 10  # steps whose rates are too low to change the loss
_WAY_DOWN = 0.9  # of the loss's fall


@dataclass(frozen=True)
class DryRun:
    """What the first step came to."""

    images: int
    loss: float
    lr: float
    seconds: float
    tensors: tuple[TensorStep, ...]


def dry_run(job: Job) -> DryRun:
    """Take the first step of a run. Raises TrainingDiverged."""
    state = TrainingState.initial(job.config)
    batch = next(job.batches(0))
    lr = learning_rate(job, 0, [])
    started = perf_counter()
    loss = take_step(job, state, batch, lr, watched=True)
    return DryRun(len(batch.indices), loss, lr, perf_counter() - started, state.last_step)


def overfit_config(config: Config) -> Config:
    """Return the configuration without all that keeps a network from learning by heart: augmentation, decay, …"""
    data = (config.data or DataConfig()).model_copy(update={"augment": ()})
    loss = config.loss
    if "label_smoothing" in type(loss).model_fields:
        loss = loss.model_copy(update={"label_smoothing": 0.0})
    optimizer = config.train.optimizer.model_copy(update={"weight_decay": 0.0})
    train = config.train.model_copy(
        update={"epochs": EPOCHS, "optimizer": optimizer, "schedule": Constant(), "early_stopping": None}
    )
    return config.model_copy(update={"data": data, "loss": loss, "train": train})


@dataclass(frozen=True)
class Overfit:
    """The classic sanity check: how well a few images were learned by heart, and what loss was to be reached."""

    images: int
    epochs: int
    loss: float
    accuracy: float
    goal: float

    @property
    def learned(self) -> bool:
        """Whether the loss is near enough to 0."""
        return self.loss <= self.goal


def overfit(job: Job, state: TrainingState) -> Iterator[Event]:
    """Train until the images are learned; `job` has them for validation as well, which is without dropout."""
    for event in train(job, state):
        yield event
        if isinstance(event, EpochEvent) and overfit_result(job, state).learned:
            return


def overfit_result(job: Job, state: TrainingState) -> Overfit:
    """Say how far it came."""
    last = state.history[-1]
    goal = GOAL * job.chance_loss
    return Overfit(len(job.datasets.train), last.epoch, last.monitored_loss, last.monitored_accuracy, goal)


@dataclass(frozen=True)
class RatePoint:
    """The loss, smoothed over the steps so far, when a step of this rate is taken."""

    lr: float
    loss: float


@dataclass(frozen=True)
class RateTest:
    """A range test (Smith 2017, arXiv:1506.01186).

    It suggests the first rate at which the loss has come nine tenths of its way down: where it is lowest says little,
    as the valley is flat and noise decides.
    """

    points: tuple[RatePoint, ...]
    suggestion: float

    @classmethod
    def of(cls, points: Sequence[RatePoint]) -> Self:
        """Draw the conclusion from one or more points."""
        start, lowest = mean(point.loss for point in points[:_AT_START]), min(point.loss for point in points)
        goal = start + _WAY_DOWN * (lowest - start)
        return cls(tuple(points), next((point.lr for point in points if point.loss <= goal), points[0].lr))


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
