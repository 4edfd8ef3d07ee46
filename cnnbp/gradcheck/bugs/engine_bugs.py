"""Mistakes of an engine: in what it hands on, in what it adds up, and in what it keeps from one step to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnbp.engine import Engine, MicroBatch, StepResult
from cnnbp.gradcheck.as_trained import Training
from cnnbp.layers.dropout import Dropout
from cnnbp.network import Network
from cnnbp.parameters import Parameters, Tensors


@dataclass(frozen=True)
class EngineStep:
    """One step. `memory` stays from step to step."""

    engine_step: Callable[[Parameters, Tensors, Sequence[MicroBatch], int], StepResult]
    params: Parameters
    state: Tensors
    batch: Sequence[MicroBatch]
    step: int
    memory: dict[str, Any]

    def right(self, **changes: Any) -> StepResult:
        """Return what the engine gives, with something else than what it was given; the gradient in its own memory."""
        given = replace(self, **changes)
        result = self.engine_step(given.params, given.state, given.batch, given.step)
        return replace(result, gradient=result.gradient.copy())

    @property
    def images(self) -> int:
        """M."""
        return sum(len(images.labels) for images in self.batch)


@dataclass(frozen=True)
class EngineBug:
    """A mistake of an engine; `shows` tells whether it changes what training gives."""

    name: str
    story: str
    mistake: Callable[[EngineStep], StepResult]
    shows: Callable[[Network, Training], bool] = lambda network, training: True


def broken_engine(mistake: Callable[[EngineStep], StepResult]) -> Callable[..., Engine]:
    """Return an engine whose steps make a mistake; what is observed of it is right."""

    class Broken(Engine):
        def step(self, params: Parameters, state: Tensors, batch: Sequence[MicroBatch], step: int = 0) -> StepResult:
            memory = self.__dict__.setdefault("_memory", {})
            return mistake(EngineStep(super().step, params, state, batch, step, memory))

    return Broken


def _with_last_times(times: float) -> Callable[[EngineStep], StepResult]:
    """Count the last micro-batch's gradient so often more."""

    def mistake(step: EngineStep) -> StepResult:
        whole, last = step.right(), step.right(batch=step.batch[-1:])
        share = times * len(step.batch[-1].labels) / step.images
        whole.gradient.vector += share * last.gradient.vector
        return whole

    return mistake


def _stale_parameters(step: EngineStep) -> StepResult:
    return step.right(params=step.memory.setdefault("params", step.params.copy()))


def _images_of_the_step_before(step: EngineStep) -> StepResult:
    before = step.memory.get("batch", step.batch)
    step.memory["batch"] = step.batch
    stale = [*step.batch[:-1], replace(before[-1], labels=step.batch[-1].labels)]
    return step.right(batch=stale)


def _labels_of_another(step: EngineStep) -> StepResult:
    first, *others = step.batch
    return step.right(batch=[replace(first, labels=np.roll(first.labels, 1)), *others])


def _statistics_of_all_but_one(step: EngineStep) -> StepResult:
    return replace(step.right(), state=step.right(batch=step.batch[:-1]).state)


def _stale_statistics(step: EngineStep) -> StepResult:
    return replace(step.right(), state=step.state)


def _mean_of_micro_batches(step: EngineStep) -> StepResult:
    whole = step.right()
    whole.gradient.vector /= len(step.batch)
    return whole


def _same_masks(step: EngineStep) -> StepResult:
    return step.right(step=0)


def _lower_precision(step: EngineStep) -> StepResult:
    whole = step.right()
    whole.gradient.vector[...] = whole.gradient.vector.astype(np.float16)
    return whole


def _several(network: Network, training: Training) -> bool:
    return training.micro_batches > 1


def _normalises(network: Network, training: Training) -> bool:
    return network.couples_images


def _drops(network: Network, training: Training) -> bool:
    return any(isinstance(node.layer, Dropout) and node.layer.p > 0 for node in network.nodes)


ENGINE_BUGS = (
    EngineBug("gradient-lost", "the gradient of the last micro-batch is lost", _with_last_times(-1), _several),
    EngineBug("gradient-twice", "the gradient of the last micro-batch is added twice", _with_last_times(1)),
    EngineBug(
        "gradient-averaged",
        "the mean of the micro-batches' gradients, which hold the 1/M",
        _mean_of_micro_batches,
        _several,
    ),
    EngineBug("half-precision", "gradients are added up in half precision", _lower_precision),
    EngineBug("stale-parameters", "the parameters of the first step stay on the board", _stale_parameters),
    EngineBug("stale-images", "the last micro-batch's images are those of the step before", _images_of_the_step_before),
    EngineBug("labels-moved", "the first micro-batch's labels are off by one image", _labels_of_another),
    EngineBug("same-masks", "dropout draws the same masks in every step", _same_masks, _drops),
    EngineBug("statistics-stale", "running statistics are never written", _stale_statistics, _normalises),
    EngineBug(
        "statistics-of-some",
        "running statistics without those of the last micro-batch",
        _statistics_of_all_but_one,
        lambda network, training: _several(network, training) and _normalises(network, training),
    ),
)
