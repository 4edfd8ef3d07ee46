"""All that training carries from one step to the next, in one object: with it, a run goes on to the same bits."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from math import hypot, nan

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.config import Config, EarlyStopping
from cnnbp.optimizers import Slots
from cnnbp.parameters import Parameters, Tensors

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SAMPLE = 4096  # numbers: of more, so many at equal distances stand for all in quantiles


@dataclass(frozen=True)
class Distribution:
    """The share of zeros among some numbers, and their QUANTILES, of more than 4 096 from a sample."""

    zeros: float
    quantiles: tuple[float, ...]

    @classmethod
    def of(cls, numbers: Array) -> "Distribution":
        """Return that of an array."""
        flat = numbers.ravel()
        ordered = np.sort(flat[:: -(-flat.size // _SAMPLE)])  # np.quantile takes five times as long
        places = np.multiply(QUANTILES, ordered.size - 1)
        quantiles = np.interp(places, np.arange(ordered.size), ordered).tolist()
        return cls(np.count_nonzero(flat == 0) / flat.size, tuple(quantiles))


@dataclass(frozen=True)
class TensorStep:
    """A parameter at one step: its norm before, its gradient and its move in numbers."""

    name: str
    shape: Shape
    parameter_norm: float
    gradient_norm: float
    gradient_mean: float
    gradient_std: float
    update_norm: float
    gradient: Distribution | None = None

    @property
    def gradient_ratio(self) -> float:
        """‖∂L/∂θ‖/‖θ‖; nan for a tensor that is all 0, as biases are at first."""
        return self.gradient_norm / self.parameter_norm if self.parameter_norm else nan

    @property
    def update_ratio(self) -> float:
        """‖Δθ‖/‖θ‖; nan for a tensor that is all 0."""
        return self.update_norm / self.parameter_norm if self.parameter_norm else nan


@dataclass(frozen=True)
class EpochMetrics:
    """One epoch in numbers that equal training repeats exactly. `epoch` counts from 1.

    The training loss and accuracy are means over the epoch's steps, while the parameters moved; `grad_norm` is the
    mean of ‖∂L/∂θ‖ before clipping; `lr` is the last step's, `update_ratio` ‖Δθ‖/‖θ‖ that of the last whole batch.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    lr: float
    grad_norm: float
    update_ratio: float

    @property
    def monitored_loss(self) -> float:
        """What training goes by: the validation loss, without validation the training loss."""
        return self.train_loss if self.val_loss is None else self.val_loss

    @property
    def monitored_accuracy(self) -> float:
        """The validation accuracy, without validation the training accuracy."""
        return self.train_accuracy if self.val_accuracy is None else self.val_accuracy


@dataclass
class EpochSums:
    """What the steps of the epoch that is under way add up to."""

    steps: int = 0
    images: int = 0
    loss: float = 0.0
    correct: int = 0
    gradient_norm: float = 0.0


@dataclass
class Average:
    """θ̄ ← d·θ̄ + (1 − d)·θ after every step, and running statistics alike: what is evaluated with `train.ema` = d.

    d is at most (1 + t)/(10 + t) after t steps, so that the first parameters are soon forgotten (Polyak & Juditsky
    1992; the ramp is that of TensorFlow's ExponentialMovingAverage).
    """

    parameters: Parameters
    running_statistics: Tensors

    @classmethod
    def of(cls, parameters: Parameters, running_statistics: Tensors) -> "Average":
        """Return the average before the first step."""
        return cls(parameters.copy(), deepcopy(running_statistics))

    def follow(self, parameters: Parameters, running_statistics: Tensors, decay: float, steps: int) -> None:
        """Move towards what the newest step has left, the last of `steps`."""
        share = 1 - min(decay, (1 + steps) / (10 + steps))
        self.parameters.vector += np.float32(share) * (parameters.vector - self.parameters.vector)
        for layer, tensors in self.running_statistics.items():
            for name, array in tensors.items():
                array += share * (running_statistics[layer][name] - array)


@dataclass
class TrainingState:
    """The state of a run between two steps. `step` counts all steps taken; `history` the epochs that are over.

    `last_step` is the newest step that was the last of its epoch with a whole batch, tensor by tensor; `last_outputs`
    is what its first micro-batch's images came to in each layer then. `average` is there with `train.ema`. Running
    statistics are replaced by every step, never changed in place.
    """

    parameters: Parameters
    slots: Slots
    running_statistics: Tensors
    step: int = 0
    sums: EpochSums = field(default_factory=EpochSums)
    history: list[EpochMetrics] = field(default_factory=list)
    last_step: tuple[TensorStep, ...] = ()
    last_outputs: tuple[tuple[str, Distribution], ...] = ()
    average: Average | None = None

    @classmethod
    def zeros(cls, config: Config) -> "TrainingState":
        """Return a state whose parameters are still to be filled in."""
        parameters = config.network.layout.zeros(np.float32)
        slots = config.train.optimizer.slots(parameters.layout.size, parameters.vector.dtype)
        state = cls(parameters, slots, config.network.initial_state())
        state.begin_average(config.train.ema)
        return state

    @classmethod
    def initial(cls, config: Config) -> "TrainingState":
        """Return the state before the first step."""
        state = cls.zeros(config)
        state.parameters = config.network.initial_parameters(config.seed)
        state.begin_average(config.train.ema)
        return state

    def begin_average(self, decay: float | None) -> None:
        """Let the average be what the parameters are now, or nothing where there is to be none."""
        self.average = Average.of(self.parameters, self.running_statistics) if decay else None

    def as_evaluated(self) -> "TrainingState":
        """Return the state as it is evaluated and exported: with the average in the place of the newest parameters."""
        if self.average is None:
            return self
        average = self.average
        return replace(self, parameters=average.parameters, running_statistics=average.running_statistics, average=None)

    def copy(self) -> "TrainingState":
        """Return a state of its own with the same values."""
        return replace(
            self,
            parameters=self.parameters.copy(),
            slots={name: slot.copy() for name, slot in self.slots.items()},
            sums=replace(self.sums),
            history=list(self.history),
            average=self.average and Average.of(self.average.parameters, self.average.running_statistics),
        )

    @property
    def epoch(self) -> int:
        """The epoch that is under way, counted from 0."""
        return len(self.history)


def tensor_steps(before: Parameters, after: Parameters, gradient: Parameters) -> tuple[TensorStep, ...]:
    """Compare the parameters before and after one step, tensor by tensor."""
    triples = zip(before.named(), after.named(), gradient.named(), strict=True)
    return tuple(
        TensorStep(
            name,
            old.shape,
            parameter_norm=_norm(old),
            gradient_norm=_norm(slope),
            gradient_mean=float(slope.mean(dtype=np.float64)),
            gradient_std=float(slope.std(dtype=np.float64)),
            update_norm=_norm(new - old),
            gradient=Distribution.of(slope),
        )
        for (name, old), (_, new), (_, slope) in triples
    )


def total_update_ratio(steps: Iterable[TensorStep]) -> float:
    """Return ‖Δθ‖/‖θ‖ over all tensors together; 0 where there is no parameter."""
    steps = list(steps)
    length = hypot(*(step.parameter_norm for step in steps))
    return hypot(*(step.update_norm for step in steps)) / length if length else 0.0


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array.astype(np.float64)))  # the square of a large float32 is none


def monitored_losses(history: Sequence[EpochMetrics]) -> list[float]:
    """Return the monitored loss of each epoch."""
    return [metrics.monitored_loss for metrics in history]


def best_epoch(history: Sequence[EpochMetrics], keep: str) -> EpochMetrics | None:
    """Return the first of the best epochs by `train.keep`: loss, or accuracy and then loss."""
    if keep == "accuracy":
        return min(history, key=lambda metrics: (-metrics.monitored_accuracy, metrics.monitored_loss), default=None)
    return min(history, key=lambda metrics: metrics.monitored_loss, default=None)


def should_stop(history: Sequence[EpochMetrics], rule: EarlyStopping | None) -> bool:
    """Tell whether `patience` epochs have passed without a loss below the best by more than `min_delta`.

    The terms are those of Keras' EarlyStopping.
    """
    if rule is None:
        return False
    best, waiting = np.inf, 0
    for metrics in history:
        better = metrics.monitored_loss < best - rule.min_delta
        best, waiting = (metrics.monitored_loss, 0) if better else (best, waiting + 1)
    return waiting > 0 and waiting >= rule.patience
