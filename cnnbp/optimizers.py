"""Optimizers: one step of a flat parameter vector along its gradient.

All parameters of a network lie in one vector, so a step is a handful of vector operations whatever the network.
The formulas are PyTorch's. Weight decay touches only what `decays` marks: never biases or batch-norm parameters.
"""

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, model_validator

from cnnbp.arrays import Array
from cnnbp.spelling import OneOf

Slots = dict[str, Array]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Optimizer(BaseModel):
    """Base of the optimizers. `slot_names` are the vectors that it keeps from step to step, zero at the start."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    type: ClassVar[str]
    slot_names: ClassVar[tuple[str, ...]] = ()

    lr: PositiveFloat = Field(description="Learning rate at the schedule's factor 1.")
    weight_decay: NonNegativeFloat = Field(default=0.0, description="Pull of the weights towards 0.")

    def slots(self, size: int, dtype: np.dtype[np.generic]) -> Slots:
        """Return the optimizer's state before the first step."""
        return {name: np.zeros(size, dtype) for name in self.slot_names}

    def step(self, theta: Array, gradient: Array, decays: Array, slots: Slots, *, lr: float, count: int) -> None:
        """Move theta (N,) in place. `decays` (N,) is 1 where weight decay applies; `count` is 1 at the first step."""
        raise NotImplementedError

    def _decayed(self, theta: Array, gradient: Array, decays: Array) -> Array:
        """Return the gradient of L + weight_decay/2·‖θ‖²."""
        return gradient + self.weight_decay * (decays * theta) if self.weight_decay else gradient


class SGD(Optimizer):
    """v ← momentum·v + g; θ ← θ − lr·v, with nesterov θ ← θ − lr·(g + momentum·v)."""

    type = "sgd"
    slot_names = ("velocity",)

    lr: PositiveFloat = Field(default=0.01, description="Learning rate at the schedule's factor 1.")
    momentum: Fraction = Field(default=0.0, description="Share of the last velocity that stays.")
    nesterov: bool = Field(default=False, description="Look ahead along the velocity.")

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def step(self, theta: Array, gradient: Array, decays: Array, slots: Slots, *, lr: float, count: int) -> None:
        g, v = self._decayed(theta, gradient, decays), slots["velocity"]
        v *= self.momentum
        v += g
        theta -= lr * (g + self.momentum * v if self.nesterov else v)


class RMSprop(Optimizer):
    """s ← ρ·s + (1 − ρ)·g²; θ ← θ − lr·g/(√s + ε) (Hinton, Coursera lecture 6e)."""

    type = "rmsprop"
    slot_names = ("square",)

    lr: PositiveFloat = Field(default=0.001, description="Learning rate at the schedule's factor 1.")
    rho: Fraction = Field(default=0.99, description="Memory of the squared gradient.")
    eps: PositiveFloat = Field(default=1e-8, description="Keeps the divisor from 0.")

    def step(self, theta: Array, gradient: Array, decays: Array, slots: Slots, *, lr: float, count: int) -> None:
        g, s = self._decayed(theta, gradient, decays), slots["square"]
        s *= self.rho
        s += (1 - self.rho) * g * g
        theta -= lr * g / (np.sqrt(s) + self.eps)


class Adam(Optimizer):
    """m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; θ ← θ − lr·m̂/(√v̂ + ε) (Kingma & Ba 2015, arXiv:1412.6980)."""

    type = "adam"
    slot_names = ("mean", "square")

    lr: PositiveFloat = Field(default=0.001, description="Learning rate at the schedule's factor 1.")
    beta1: Fraction = Field(default=0.9, description="Memory of the gradient.")
    beta2: Fraction = Field(default=0.999, description="Memory of the squared gradient.")
    eps: PositiveFloat = Field(default=1e-8, description="Keeps the divisor from 0.")

    def step(self, theta: Array, gradient: Array, decays: Array, slots: Slots, *, lr: float, count: int) -> None:
        g, m, v = self._decayed(theta, gradient, decays), slots["mean"], slots["square"]
        m *= self.beta1
        m += (1 - self.beta1) * g
        v *= self.beta2
        v += (1 - self.beta2) * g * g
        root = np.sqrt(v) / (1 - self.beta2**count) ** 0.5
        theta -= lr / (1 - self.beta1**count) * m / (root + self.eps)


class AdamW(Adam):
    """Adam with the decay apart from the gradient: first θ ← (1 − lr·weight_decay)·θ (arXiv:1711.05101)."""

    type = "adamw"

    weight_decay: NonNegativeFloat = Field(default=0.01, description="Pull of the weights towards 0, times the rate.")

    def step(self, theta: Array, gradient: Array, decays: Array, slots: Slots, *, lr: float, count: int) -> None:
        theta -= lr * self.weight_decay * (decays * theta)
        super().step(theta, gradient, decays, slots, lr=lr, count=count)

    def _decayed(self, theta: Array, gradient: Array, decays: Array) -> Array:
        return gradient


OPTIMIZERS: tuple[type[Optimizer], ...] = (SGD, RMSprop, Adam, AdamW)


def _spellings() -> dict[str, type[BaseModel]]:
    return {optimizer.type: optimizer for optimizer in OPTIMIZERS}


OptimizerSpec = Annotated[Optimizer, OneOf("optimizer", _spellings)]
