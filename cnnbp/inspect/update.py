"""One update of the parameters, to see the loss fall."""

from dataclasses import dataclass

import numpy as np

from cnnbp.inspect.curvature import Parabola, parabola
from cnnbp.inspect.record import Model, Record, record_batch
from cnnbp.network import INPUT
from cnnbp.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from cnnbp.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Update:
    """An optimizer's first step, the loss of the same batch before and after it, and its parabola along the step."""

    optimizer: Optimizer
    loss_before: float
    loss_after: float
    params: Parameters
    parabola: Parabola

    @property
    def longest_rate(self) -> float | None:
        """The learning rate at which the parabola is back at L; None where it never is. First steps are ∝ lr."""
        return None if self.parabola.reach is None else self.parabola.reach * self.optimizer.lr

    @property
    def formula(self) -> str:
        """The step as a formula, g = ∂L/∂θ: the optimizer's memory is still empty."""
        decay = self.optimizer.weight_decay
        g = "(g + λ·θ)" if decay and not isinstance(self.optimizer, AdamW) else "g"
        size = f"|{g.strip('()')}|"
        match self.optimizer:
            case AdamW():
                return f"Δθ = −η·g/(|g| + ε){' − η·λ·θ' if decay else ''}"
            case Adam():
                return f"Δθ = −η·{g}/({size} + ε)"
            case RMSprop():
                return f"Δθ = −η·{g}/(√(1 − ρ)·{size} + ε)"
            case SGD(nesterov=True):
                return f"Δθ = −η·(1 + μ)·{g}"
        return f"Δθ = −η·{g}"


def update_once(record: Record, optimizer: Optimizer) -> Update:
    """Take one step along the gradient of a recorded batch and run the batch again, dropping the same numbers."""
    model = record.model
    params = model.params.astype(np.float64)
    theta = params.vector
    optimizer.step(
        theta,
        record.gradient.vector,
        model.network.decays(np.float64),
        optimizer.slots(theta.size, theta.dtype),
        lr=optimizer.lr,
        count=1,
    )
    moved = Model(model.network, model.loss, params, model.state)
    seed, _, _ = record.tape.stream
    again = record_batch(moved, record.tape.values[INPUT], record.labels, dropout=record.tape.training, seed=seed)
    step = params.vector - record.tape.params.vector
    return Update(optimizer, record.loss, again.loss, params, parabola(record, step))
