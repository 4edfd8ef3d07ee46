"""One step in numbers, tensor by tensor: how long the gradient is, and how far the parameter moved."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import hypot, nan

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.parameters import Parameters


@dataclass(frozen=True)
class TensorStep:
    """A parameter at one step: its norm before, its gradient's norm, mean and deviation, and the norm of its move."""

    name: str
    shape: Shape
    parameter_norm: float
    gradient_norm: float
    gradient_mean: float
    gradient_std: float
    update_norm: float

    @property
    def gradient_ratio(self) -> float:
        """‖∂L/∂θ‖/‖θ‖; nan for a tensor that is all 0, as biases are at first."""
        return self.gradient_norm / self.parameter_norm if self.parameter_norm else nan

    @property
    def update_ratio(self) -> float:
        """‖Δθ‖/‖θ‖; nan for a tensor that is all 0."""
        return self.update_norm / self.parameter_norm if self.parameter_norm else nan


def tensor_steps(before: Parameters, after: Parameters, gradient: Parameters) -> tuple[TensorStep, ...]:
    """Compare the parameters before and after one step, tensor by tensor."""
    triples = zip(before.items(), after.items(), gradient.items(), strict=True)
    return tuple(
        TensorStep(
            name,
            old.shape,
            parameter_norm=_norm(old),
            gradient_norm=_norm(slope),
            gradient_mean=float(slope.mean(dtype=np.float64)),
            gradient_std=float(slope.std(dtype=np.float64)),
            update_norm=_norm(new - old),
        )
        for (name, old), (_, new), (_, slope) in triples
    )


def total_update_ratio(steps: Iterable[TensorStep]) -> float:
    """Return ‖Δθ‖/‖θ‖ over all tensors together; 0 where there is no parameter."""
    steps = list(steps)
    length = hypot(*(step.parameter_norm for step in steps))
    return hypot(*(step.update_norm for step in steps)) / length if length else 0.0


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array))
