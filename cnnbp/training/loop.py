"""The training loop: a generator of results. It prints nothing, and its state is whole at every event it yields."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from time import perf_counter

import numpy as np

from cnnbp.arrays import Array
from cnnbp.data.batches import Batch
from cnnbp.engine import StepResult
from cnnbp.errors import Diverged
from cnnbp.training.gradients import TensorStep, tensor_steps, total_update_ratio
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.metrics import EpochMetrics, monitored_losses, should_stop
from cnnbp.training.state import EpochSums, TrainingState


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step was taken. `loss` is the batch's mean."""

    epoch: int
    step: int
    images: int
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
    validation: Measurement | None
    images_per_second: float
    seconds: float


Event = StepEvent | ValidationEvent | EpochEvent


def train(job: Job, state: TrainingState) -> Iterator[Event]:
    """Train until the last epoch, or until early stopping says so, going on from wherever `state` stands.

    `state` is moved in place. It is whole at every event: a copy taken there, or written to disk, can be trained on
    to the same bits. Raises Diverged when a loss or gradient is not finite; the state is then that before the step.
    """
    while not is_over(job, state):
        started = perf_counter()
        images = yield from _steps(job, state)
        trained = perf_counter()
        validation = yield from _validate(job, state)
        _close_epoch(job, state, validation)
        yield EpochEvent(
            state.history[-1],
            state.last_step,
            validation,
            images / max(trained - started, 1e-9),
            perf_counter() - started,
        )


def is_over(job: Job, state: TrainingState) -> bool:
    """Tell whether there is nothing left to train."""
    rules = job.config.train
    return state.epoch >= rules.epochs or should_stop(state.history, rules.early_stopping)


def learning_rate(job: Job, step: int, losses: Sequence[float]) -> float:
    """Return the rate of a step, counted from 0; `losses` are the monitored ones of the epochs before its own."""
    rules = job.config.train
    return rules.optimizer.lr * rules.schedule.factor(step, job.steps_per_epoch, rules.epochs, losses)


def _steps(job: Job, state: TrainingState) -> Generator[Event, None, int]:
    """Take the epoch's steps that are still to be taken; return how many images they had."""
    images = 0
    losses = monitored_losses(state.history)
    for batch in job.batches(state.epoch, state.sums.steps):
        loss = _step(job, state, batch, learning_rate(job, state.step, losses))
        images += len(batch.indices)
        yield StepEvent(state.epoch + 1, state.step, len(batch.indices), loss)
    return images


def _step(job: Job, state: TrainingState, batch: Batch, lr: float) -> float:
    """Take one step at the rate `lr`; return the batch's mean loss."""
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        result = job.engine.step(state.parameters, state.running_statistics, batch.micro_batches, state.step)
        gradient = result.gradient.vector
        norm = sqrt(float(np.dot(gradient, gradient)))
    loss = result.loss
    if not isfinite(loss) or not isfinite(norm):
        raise Diverged(f"step {state.step + 1}: the loss is {loss}, ‖∂L/∂θ‖ is {norm}")
    is_last = state.sums.steps + 1 == job.steps_per_epoch
    before = state.parameters.copy() if is_last else None
    _update(job, state, gradient, norm, lr)
    if before:
        state.last_step = tensor_steps(before, state.parameters, result.gradient)
    _count(state, result, len(batch.indices), loss, norm)
    return loss


def _update(job: Job, state: TrainingState, gradient: Array, norm: float, lr: float) -> None:
    """Move the parameters along the gradient, shortened to clip_norm where it is longer."""
    clip_norm = job.config.train.clip_norm
    if clip_norm is not None and norm > clip_norm:
        gradient = gradient * (clip_norm / norm)
    theta, slots, count = state.parameters.vector, state.slots, state.step + 1
    job.config.train.optimizer.step(theta, gradient, job.decays, slots, lr=lr, count=count)


def _count(state: TrainingState, result: StepResult, images: int, loss: float, norm: float) -> None:
    state.running_statistics = result.state
    state.step += 1
    sums = state.sums
    sums.steps += 1
    sums.images += images
    sums.loss += loss * images
    sums.correct += result.correct
    sums.gradient_norm += norm


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
    sums = state.sums
    state.history.append(
        EpochMetrics(
            epoch=state.epoch + 1,
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
