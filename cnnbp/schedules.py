"""Learning-rate schedules: what the rate is multiplied with, as a pure function of where training stands.

Nothing is remembered between calls: the plateau schedule replays the validation losses, so a resumed run cannot
differ from an uninterrupted one.
"""

from collections.abc import Sequence
from math import cos, inf, pi
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from cnnbp.spelling import OneOf

Factor = Annotated[float, Field(gt=0, le=1)]


class Schedule(BaseModel):
    """Base of the schedules: a linear warm-up over `warmup` epochs, then what the subclass says."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    type: ClassVar[str]

    warmup: NonNegativeFloat = Field(default=0.0, description="Epochs over which the rate rises to its full value.")

    def factor(self, step: int, steps_per_epoch: int, epochs: int, val_losses: Sequence[float] = ()) -> float:
        """Return the rate's factor for a step, counted from 0 over the whole run of `epochs`.

        `val_losses` are those of the epochs that are over.
        """
        rising = min((step + 1) / (self.warmup * steps_per_epoch), 1.0) if self.warmup else 1.0
        epoch = max(step / steps_per_epoch - self.warmup, 0.0)
        return rising * self._factor(epoch, max(epochs - self.warmup, 1e-9), val_losses)

    def _factor(self, epoch: float, epochs: float, val_losses: Sequence[float]) -> float:
        return 1.0


class Constant(Schedule):
    """The same rate all the way."""

    type = "constant"


class Warmup(Schedule):
    """A linear rise over the first epochs, then the same rate all the way."""

    type = "warmup"

    warmup: NonNegativeFloat = Field(default=1.0, description="Epochs over which the rate rises to its full value.")


class Step(Schedule):
    """The rate times `gamma` after every `every` epochs."""

    type = "step"

    every: PositiveInt = Field(description="Epochs between two drops.")
    gamma: Factor = Field(default=0.1, description="What each drop multiplies the rate with.")

    def _factor(self, epoch: float, epochs: float, val_losses: Sequence[float]) -> float:
        return float(self.gamma ** int(epoch // self.every))


class Cosine(Schedule):
    """Half a cosine from the full rate towards `floor` of it, where the last step ends (Loshchilov & Hutter 2017)."""

    type = "cosine"

    floor: Annotated[float, Field(ge=0, le=1)] = Field(default=0.0, description="Share of the rate at the end.")

    def _factor(self, epoch: float, epochs: float, val_losses: Sequence[float]) -> float:
        return self.floor + (1 - self.floor) * (1 + cos(pi * min(epoch / epochs, 1.0))) / 2


class Plateau(Schedule):
    """The rate times `gamma` when the validation loss has not improved for more than `patience` epochs."""

    type = "plateau"

    gamma: Factor = Field(default=0.1, description="What each drop multiplies the rate with.")
    patience: NonNegativeInt = Field(default=10, description="Epochs without improvement that are let pass.")
    threshold: NonNegativeFloat = Field(default=1e-4, description="Share by which the best loss must be beaten.")

    def _factor(self, epoch: float, epochs: float, val_losses: Sequence[float]) -> float:
        factor, best, bad = 1.0, inf, 0
        for loss in val_losses:
            better = loss < best * (1 - self.threshold)
            best, bad = (loss, 0) if better else (best, bad + 1)
            if bad > self.patience:
                factor, bad = factor * self.gamma, 0
        return factor


SCHEDULES: tuple[type[Schedule], ...] = (Constant, Warmup, Step, Cosine, Plateau)


def _spellings() -> dict[str, type[BaseModel]]:
    return {schedule.type: schedule for schedule in SCHEDULES}


ScheduleSpec = Annotated[Schedule, OneOf("schedule", _spellings)]
