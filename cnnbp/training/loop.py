"""The training loop: a generator of results. It prints nothing, and its state is whole at every event it yields."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from time import perf_counter

from cnnbp.config import TrainConfig
from cnnbp.engine.ranks import require_same
from cnnbp.training.concerns import Concern, DeadChannels, concerns, look_at_outputs
from cnnbp.training.divergence import diagnose_validation
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.state import (
    Distribution,
    EpochMetrics,
    EpochSums,
    TensorStep,
    TrainingState,
    monitored_losses,
    should_stop,
    total_update_ratio,
)
from cnnbp.training.step import take_step


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step was taken. `loss` is the batch's mean; `done` images of the epoch have been seen."""

    epoch: int
    images: int
    done: int
    loss: float


@dataclass(frozen=True, slots=True)
class ValidationEvent:
    """Some validation images went through the network."""

    epoch: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class EpochEvent:
    """An epoch is over. `seconds` is all of it, `images_per_second` the training part; both vary from run to run."""

    metrics: EpochMetrics
    tensors: tuple[TensorStep, ...]
    outputs: tuple[tuple[str, Distribution], ...]
    concerns: tuple[Concern, ...]
    images_per_second: float
    seconds: float


Event = StepEvent | ValidationEvent | EpochEvent


def train(job: Job, state: TrainingState) -> Iterator[Event]:
    """Train until the last epoch, or until early stopping says so, going on from wherever `state` stands.

    `state` is moved in place. It is whole at every event: a copy taken there, or written to disk, can be trained on
    to the same bits. Raises TrainingDiverged where a loss, a gradient or a parameter is no longer finite.
    """
    while not is_over(job.config.train, state.history):
        started = perf_counter()
        images, dead = yield from _steps(job, state)
        trained = perf_counter()
        validation = yield from _validate(job, state)
        _close_epoch(job, state, validation)
        yield EpochEvent(
            state.history[-1],
            state.last_step,
            state.last_outputs,
            _concerns(job, state, dead),
            images / max(trained - started, 1e-9),
            perf_counter() - started,
        )


def is_over(rules: TrainConfig, history: Sequence[EpochMetrics]) -> bool:
    """Tell whether there is nothing left to train."""
    return len(history) >= rules.epochs or should_stop(history, rules.early_stopping)


def learning_rate(job: Job, step: int, losses: Sequence[float]) -> float:
    """Return the rate of a step, counted from 0; `losses` are the monitored ones of the epochs before its own."""
    rules = job.config.train
    return rules.optimizer.lr * rules.schedule.factor(step, job.steps_per_epoch, rules.epochs, losses)


def _steps(job: Job, state: TrainingState) -> Generator[Event, None, tuple[int, tuple[DeadChannels, ...]]]:
    """Take the steps left in the epoch; return how many images they had, and what is dead in its last whole batch.

    The tensors of that step are watched too: a smaller batch says less.
    """
    images = 0
    dead: tuple[DeadChannels, ...] = ()
    losses = monitored_losses(state.history)
    for batch in job.batches(state.epoch, state.sums.steps):
        is_watched = state.sums.steps + 1 == job.whole_steps
        loss = take_step(job, state, batch, learning_rate(job, state.step, losses), watched=is_watched)
        images += len(batch.indices)
        if is_watched:
            dead, state.last_outputs = look_at_outputs(job, state, batch)
        yield StepEvent(state.epoch + 1, len(batch.indices), state.sums.images, loss)
    return images, dead


def _validate(job: Job, state: TrainingState) -> Generator[Event, None, Measurement | None]:
    subset = job.datasets.validation
    if not len(subset):
        return None
    measurement = job.measuring(state, subset)
    while True:
        try:
            yield ValidationEvent(state.epoch + 1, next(measurement), len(subset))
        except StopIteration as end:
            return end.value


def _close_epoch(job: Job, state: TrainingState, validation: Measurement | None) -> None:
    sums, epoch = state.sums, state.epoch + 1
    require_same(f"parameters after epoch {epoch}", state.parameters.vector.data, job.engine.ranks)
    if validation and not isfinite(validation.loss):
        raise diagnose_validation(job, state, validation)
    state.history.append(
        EpochMetrics(
            epoch=epoch,
            train_loss=sums.loss / sums.images,
            train_accuracy=sums.correct / sums.images,
            val_loss=validation.loss if validation else None,
            val_accuracy=validation.accuracy if validation else None,
            lr=learning_rate(job, state.step - 1, monitored_losses(state.history)),
            grad_norm=sums.gradient_norm / sums.steps,
            update_ratio=total_update_ratio(state.last_step),
        )
    )
    state.sums = EpochSums()


def _concerns(job: Job, state: TrainingState, dead: tuple[DeadChannels, ...]) -> tuple[Concern, ...]:
    metrics = state.history[-1]
    weights = [tensor for tensor in state.last_step if tensor.name in job.weights]
    rules = job.config.train
    factor = metrics.lr / rules.optimizer.lr
    found = concerns(state.history, weights, dead, rate_factor=factor, chance_loss=job.chance_loss, keep=rules.keep)
    return tuple(found)
