"""What can be tried with any two functions, of which nothing else is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.diagnosis.trial import NOT_ROUNDING, Wrong
from cnnbp.gradcheck.foreign.observation import Observation
from cnnbp.gradcheck.foreign.pair import Pair

STEP = 1e-5  # of a difference that need only tell whether a slope depends on something


@dataclass(frozen=True)
class PairTrial:
    """Two functions at the point where they were wrong."""

    pair: Pair
    seen: Observation

    def gradients(self, dy: Array, moved: Mapping[int, Array] | None = None) -> dict[str, Array]:
        """Return every gradient by its name, dx among them, some of the arrays moved elsewhere."""
        ran = self.pair.run(moved)
        dtype = ran.y.dtype if ran.y.dtype.kind == "f" else np.dtype(np.float64)
        found = self.pair.gradients(dy.astype(dtype)[()], ran.cache)
        return {f"d{name}": gradient for name, gradient in found.items() if gradient is not None}


PairExperiment = Callable[[PairTrial, Wrong], str | None]


def ignores_dy(trial: PairTrial, wrong: Wrong) -> str | None:
    """A gradient that is the same for every upstream gradient."""
    [name] = wrong
    once, twice = (trial.gradients(factor * trial.seen.upstream)[name] for factor in (1, 2))
    if not once.any() or not np.array_equal(once, twice):
        return None
    return f"{name} is the same whatever dy is: it must be multiplied by dy, ∂L/∂y"


def is_not_linear(trial: PairTrial, wrong: Wrong) -> str | None:
    """Every backward is linear in dy."""
    [name], upstream, rng = wrong, trial.seen.upstream, np.random.default_rng([0, 1])
    first = rng.normal(size=upstream.shape) * rng.integers(0, 2, upstream.shape)
    parts = [trial.gradients(dy)[name] for dy in (first, upstream - first, upstream)]
    off = np.abs(parts[0] + parts[1] - parts[2]).max(initial=0)
    if off <= max(NOT_ROUNDING, 100 * trial.seen.coarsest) * np.abs(parts[2]).max(initial=1e-300):
        return None
    return f"{name} is not linear in dy: it looks at dy, or overwrites (=) what it must add (+=)"


def ignores_an_array(trial: PairTrial, wrong: Wrong) -> str | None:
    """A wrong gradient that stays the same when an array changes that its slope depends on."""
    [name], pair = wrong, trial.pair
    [variable] = [i for i in pair.variables if f"d{pair.names[i]}" == name]
    before = trial.gradients(trial.seen.upstream)[name]
    for other in pair.variables:
        array = pair.arrays[other]
        moved = {other: (array * np.random.default_rng(0).uniform(1.1, 2, array.shape)).astype(array.dtype)}
        if other == variable or not np.array_equal(trial.gradients(trial.seen.upstream, moved)[name], before):
            continue
        here, there = (_slope(trial, variable, elsewhere) for elsewhere in ({}, moved))
        if abs(here - there) > 1e-3 * max(abs(here), abs(there)):
            return f"{name} does not change with {pair.names[other]}: it is forgotten, or an old copy"
    return None


def _slope(trial: PairTrial, variable: int, elsewhere: Mapping[int, Array]) -> float:
    """Return the slope along a random direction of one array, the others somewhere else."""
    theta = trial.pair.arrays[variable]
    direction = np.random.default_rng(1).normal(size=theta.shape)
    above, below = (
        trial.pair.value({**elsewhere, variable: (theta + h * direction).astype(theta.dtype)}, trial.seen.y)
        for h in (STEP, -STEP)
    )
    return float((trial.seen.upstream * (above - below)).sum() / (2 * STEP))


PAIR_EXPERIMENTS: Sequence[PairExperiment] = (ignores_dy, is_not_linear, ignores_an_array)
