"""What looks wrong at the end of an epoch, with the numbers that say so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.data.batches import Batch
from cnnbp.engine import MicroBatch
from cnnbp.layers.activations import ReLU
from cnnbp.tape import Tape
from cnnbp.training.job import Job
from cnnbp.training.state import Distribution, EpochMetrics, TensorStep, TrainingState, best_epoch

Kind = Literal[
    "dead ReLU",
    "vanishing gradient",
    "exploding gradient",
    "update ratio",
    "worse than chance",
    "overfitting",
    "best epoch long ago",
]

# Rules of thumb, wide enough to be silent on networks that train well.
DEAD_SHARE = 0.5  # of a ReLU's channels
VANISHING = 1e-3  # of the largest ‖∂L/∂W‖/‖W‖ in the network
EXPLODING = 10.0  # ‖∂L/∂W‖/‖W‖
GOOD_UPDATE, FAR = 1e-3, 100.0  # ‖ΔW‖/‖W‖ at the full learning rate, and how many times off is far
_FACTORS = 0.05  # below this share of the learning rate an update says little about the rate itself
WORSE = 1.05  # times the loss of equal probabilities: nearer to it there is noise
_FIRST_EPOCH = 2  # a validation loss is judged from here on
_RISES, _RISEN = 5, 1.1  # epochs in a row with a higher validation loss, and how many times as high it is then
_LONG_AGO = 10  # epochs since the best one, when there were as many as up to it


@dataclass(frozen=True)
class DeadChannels:
    """How many of a ReLU's channels are 0 at every place of every image of a batch."""

    layer: str
    dead: int
    channels: int
    images: int


@dataclass(frozen=True)
class Concern:
    """Something that looks wrong: its kind, the layer or tensor (none for the whole network), and why."""

    kind: Kind
    where: str
    epoch: int
    reason: str


def concerns(
    history: Sequence[EpochMetrics],
    weights: Sequence[TensorStep],
    dead: Sequence[DeadChannels],
    *,
    rate_factor: float,
    chance_loss: float,
    keep: str = "loss",
) -> Iterator[Concern]:
    """Yield what looks wrong in the last epoch of some.

    `weights` are the tensors that multiply; `rate_factor` is the schedule's; `keep` says which epoch is the best.
    """
    metrics = history[-1]
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
    if metrics.val_loss is not None:
        yield from _trend_concerns(history, keep)


def _trend_concerns(history: Sequence[EpochMetrics], keep: str) -> Iterator[Concern]:
    last, seen = history[-1], history[-1 - _RISES :]
    losses = [metrics.monitored_loss for metrics in seen]
    rises = len(seen) > _RISES and all(before < after for before, after in pairwise(losses))
    if rises and losses[-1] > _RISEN * losses[0] and last.train_loss < seen[0].train_loss:
        reason = f"validation loss has risen for {_RISES} epochs, from {losses[0]:.4g} to {losses[-1]:.4g}, while "
        reason += f"training loss fell from {seen[0].train_loss:.4g} to {last.train_loss:.4g}"
        yield Concern("overfitting", "", last.epoch, reason)
    best = best_epoch(history, keep)
    if best and last.epoch - best.epoch >= max(_LONG_AGO, best.epoch):
        reason = f"epoch {best.epoch} is the best by {keep}, {last.epoch - best.epoch} epochs ago; "
        yield Concern("best epoch long ago", "", last.epoch, f"{reason}train.early_stopping ends what does not help")


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


@np.errstate(over="ignore", invalid="ignore")
def look_at_outputs(
    job: Job, state: TrainingState, batch: Batch
) -> tuple[tuple[DeadChannels, ...], tuple[tuple[str, Distribution], ...]]:
    """Run a batch as after training: each ReLU's dead channels, and each layer's output for the first micro-batch.

    All ranks do their part of it; the outputs are the first one's.
    """
    first = list[tuple[str, Distribution]]()
    nodes = [node for node in job.config.network.nodes if isinstance(node.layer, ReLU)]
    ends = np.cumsum([node.output_shape[0] for node in nodes], dtype=np.intp)
    alive = np.zeros((1, ends[-1] if nodes else 0), np.bool_)  # the channels of all nodes, one after the other
    ranks = job.engine.ranks
    for place, micro_batch in enumerate(batch.micro_batches):
        outputs = _outputs(job, state, micro_batch)
        if nodes:
            living = [np.any(y > 0, axis=tuple(range(1, y.ndim))) for y in (outputs[node.name] for node in nodes)]
            alive |= np.concatenate(living)
        if place == 0 and ranks.rank == 0:
            first += [(name, Distribution.of(y)) for name, y in outputs.items()]
    found = np.split(ranks.gather(alive, [1] * ranks.size).any(axis=0), ends[:-1])
    dead = (
        DeadChannels(node.name, int((~channels).sum()), channels.size, len(batch.indices))
        for node, channels in zip(nodes, found, strict=False)
    )
    return tuple(dead), tuple(first)


def _outputs(job: Job, state: TrainingState, images: MicroBatch) -> dict[str, Array]:
    """Return what each layer gives, by its name, without those that only give another view of their input."""
    network = job.config.network
    tape = Tape(
        network, state.parameters, state.running_statistics, images.x, Arena(), training=False, keep_everything=True
    )
    tape.forward()
    return {node.name: tape.values[node.index] for node in network.nodes if not node.layer.output_is_view}
