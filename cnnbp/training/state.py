"""All that training carries from one step to the next, in one object: whoever has it can go on to the bit."""

from dataclasses import dataclass, field, replace

import numpy as np

from cnnbp.config import Config
from cnnbp.optimizers import Slots
from cnnbp.parameters import Parameters, Tensors
from cnnbp.training.gradients import TensorStep
from cnnbp.training.metrics import EpochMetrics


@dataclass
class EpochSums:
    """What the steps of the epoch that is under way add up to."""

    steps: int = 0
    images: int = 0
    loss: float = 0.0
    correct: int = 0
    gradient_norm: float = 0.0


@dataclass
class TrainingState:
    """The state of a run between two steps. `step` counts all steps taken; `history` the epochs that are over.

    `last_step` is the last step of the last epoch whose steps are all taken, tensor by tensor. Running statistics are
    replaced by every step, never changed in place.
    """

    parameters: Parameters
    slots: Slots
    running_statistics: Tensors
    step: int = 0
    sums: EpochSums = field(default_factory=EpochSums)
    history: list[EpochMetrics] = field(default_factory=list)
    last_step: tuple[TensorStep, ...] = ()

    @classmethod
    def zeros(cls, config: Config) -> "TrainingState":
        """Return a state whose parameters are still to be filled in."""
        parameters = config.network.layout.zeros(np.float32)
        slots = config.train.optimizer.slots(parameters.layout.size, parameters.vector.dtype)
        return cls(parameters, slots, config.network.initial_state())

    @classmethod
    def initial(cls, config: Config) -> "TrainingState":
        """Return the state before the first step."""
        state = cls.zeros(config)
        state.parameters = config.network.initial_parameters(config.seed)
        return state

    def copy(self) -> "TrainingState":
        """Return a state of its own with the same values."""
        return replace(
            self,
            parameters=self.parameters.copy(),
            slots={name: slot.copy() for name, slot in self.slots.items()},
            sums=replace(self.sums),
            history=list(self.history),
        )

    @property
    def epoch(self) -> int:
        """The epoch that is under way, counted from 0."""
        return len(self.history)
