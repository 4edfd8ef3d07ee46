"""One step of training: forward, backward, update."""

from copy import deepcopy
from math import isfinite, sqrt

import numpy as np

from cnnbp.arrays import Array
from cnnbp.data.batches import Batch
from cnnbp.engine import StepResult
from cnnbp.parameters import Parameters
from cnnbp.training.divergence import diagnose
from cnnbp.training.job import Job
from cnnbp.training.state import TrainingState, tensor_steps


def take_step(job: Job, state: TrainingState, batch: Batch, lr: float, *, watched: bool = False) -> float:
    """Move `state` one step at the rate `lr`; return the batch's mean loss. A watched step goes to `last_step`.

    Raises TrainingDiverged for a loss, a gradient or a new parameter that is not finite; `state` is then of no use.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        result = job.engine.step(state.parameters, state.running_statistics, batch.micro_batches, state.step)
        _leave_out_frozen(job, result.gradient)
        gradient = result.gradient.vector
        norm = sqrt(float(np.dot(gradient, gradient)))
        loss = result.loss
        before = state.parameters.copy() if watched else None
        if isfinite(loss) and isfinite(norm):
            _update(job, state, gradient, norm, lr)
    if not (isfinite(loss) and isfinite(norm) and np.isfinite(state.parameters.vector).all()):
        raise diagnose(job, state, batch, loss=loss, gradient_norm=norm, lr=lr)
    if before:
        state.last_step = tensor_steps(before, state.parameters, result.gradient)
    _count(job, state, result, len(batch.indices), loss, norm)
    return loss


def _leave_out_frozen(job: Job, gradient: Parameters) -> None:
    """Set the gradient of what is not trained to 0, in which no norm counts it."""
    for layer in job.frozen & gradient.keys():
        for tensor in gradient.of(layer).values():
            tensor.fill(0)


def _update(job: Job, state: TrainingState, gradient: Array, norm: float, lr: float) -> None:
    """Move the parameters along the gradient, shortened to clip_norm where it is longer, and put the frozen back."""
    clip_norm = job.config.train.clip_norm
    if clip_norm is not None and norm > clip_norm:
        gradient = gradient * (clip_norm / norm)
    theta, slots, count = state.parameters.vector, state.slots, state.step + 1
    kept = {layer: deepcopy(state.parameters.of(layer)) for layer in job.frozen}
    job.config.train.optimizer.step(theta, gradient, job.decays, slots, lr=lr, count=count)
    for layer, tensors in kept.items():
        for name, tensor in tensors.items():
            state.parameters.of(layer)[name][...] = tensor


def _count(job: Job, state: TrainingState, result: StepResult, images: int, loss: float, norm: float) -> None:
    state.running_statistics = result.state
    state.step += 1
    if state.average and (decay := job.config.train.ema):
        state.average.follow(state.parameters, state.running_statistics, decay, state.step)
    sums = state.sums
    sums.steps += 1
    sums.images += images
    sums.loss += loss * images
    sums.correct += result.correct
    sums.gradient_norm += norm
