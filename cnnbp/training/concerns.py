"""What looks wrong at the end of an epoch, with the numbers that say so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cnnbp.training.activity import DeadChannels
from cnnbp.training.gradients import TensorStep
from cnnbp.training.metrics import EpochMetrics

Kind = Literal["dead ReLU", "vanishing gradient", "exploding gradient", "update ratio", "worse than chance"]

# Rules of thumb, wide enough to be silent on networks that train well.
DEAD_SHARE = 0.5  # of a ReLU's channels
VANISHING = 1e-3  # of the largest ‖∂L/∂W‖/‖W‖ in the network
EXPLODING = 10.0  # ‖∂L/∂W‖/‖W‖
GOOD_UPDATE, FAR = 1e-3, 100.0  # ‖ΔW‖/‖W‖ at the full learning rate, and how many times off is far
_FACTORS = 0.05  # below this share of the learning rate an update says little about the rate itself
WORSE = 1.05  # times the loss of equal probabilities: nearer to it there is noise
_FIRST_EPOCH = 2  # a validation loss is judged from here on


@dataclass(frozen=True)
class Concern:
    """Something that looks wrong: its kind, the layer or tensor (none for the whole network), and why."""

    kind: Kind
    where: str
    epoch: int
    reason: str


def concerns(
    metrics: EpochMetrics,
    weights: Sequence[TensorStep],
    dead: Sequence[DeadChannels],
    *,
    rate_factor: float,
    chance_loss: float,
) -> Iterator[Concern]:
    """Yield what looks wrong. `weights` are the tensors that multiply; `rate_factor` is the schedule's."""
    for relu in dead:
        if relu.dead >= DEAD_SHARE * relu.channels:
            share = f"{relu.dead} of {relu.channels} channels"
            reason = f"{share} are 0 for all {relu.images} images of the last whole batch"
            yield Concern("dead ReLU", relu.layer, metrics.epoch, reason)
    yield from _gradient_concerns(metrics.epoch, weights)
    if rate_factor > _FACTORS:
        yield from _update_concerns(metrics.epoch, weights, rate_factor)
    if metrics.val_loss is not None and metrics.epoch >= _FIRST_EPOCH and metrics.val_loss > WORSE * chance_loss:
        reason = f"validation loss {metrics.val_loss:.4g}; equally probable classes have {chance_loss:.4g}"
        yield Concern("worse than chance", "", metrics.epoch, reason)


def _gradient_concerns(epoch: int, weights: Sequence[TensorStep]) -> Iterator[Concern]:
    largest = max(weights, key=lambda tensor: tensor.gradient_ratio, default=None)
    for tensor in weights:
        ratio = f"‖∂L/∂W‖/‖W‖ is {tensor.gradient_ratio:.1e}"
        if tensor.gradient_ratio > EXPLODING:
            yield Concern("exploding gradient", tensor.name, epoch, ratio)
        elif largest and tensor.gradient_ratio < VANISHING * largest.gradient_ratio:
            reason = f"{ratio}, that of {largest.name} {largest.gradient_ratio:.1e}"
            yield Concern("vanishing gradient", tensor.name, epoch, reason)


def _update_concerns(epoch: int, weights: Sequence[TensorStep], rate_factor: float) -> Iterator[Concern]:
    for tensor in weights:
        ratio = tensor.update_ratio / rate_factor
        if not GOOD_UPDATE / FAR <= ratio <= GOOD_UPDATE * FAR:
            reason = f"‖ΔW‖/‖W‖ is {ratio:.1e} at the full learning rate; about {GOOD_UPDATE:g} is usual"
            yield Concern("update ratio", tensor.name, epoch, reason)
