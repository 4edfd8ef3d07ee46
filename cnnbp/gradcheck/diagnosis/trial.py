"""A layer at the point where it was wrong, to try things with; and what can be tried with any layer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.diagnosis.pattern import Pattern
from cnnbp.layers import Context, CoupledLayer, Layer
from cnnbp.layers.base import Params
from cnnbp.losses import Loss

NOT_ROUNDING = 1e-6  # of the largest number: not even float32's

Wrong = Mapping[str, Pattern]  # the patterns of a layer's wrong gradients: dx, dW, …


@dataclass(frozen=True)
class Trial:
    """A layer, what it was given, and the upstream gradient."""

    layer: Layer
    params: Params
    xs: tuple[Array, ...]
    dy: Array
    ctx: Context

    @property
    def x(self) -> Any:
        """What the layer takes."""
        return self.xs[0] if len(self.xs) == 1 else self.xs

    def forward(self) -> tuple[Array, Any]:
        """Run the layer; return y and the cache."""
        return self.layer.forward(self.params, self.x, self.ctx)

    def gradients(self, dy: Array | None = None) -> dict[str, Array]:
        """Run the layer and return every gradient by name, dx among them, for this or another upstream gradient."""
        _, cache = self.forward()
        dx, gradients = self.layer.backward(self.params, cache, (self.dy if dy is None else dy).copy(), self.ctx)
        dxs = (dx,) if len(self.xs) == 1 else dx
        names = ["dx"] if len(self.xs) == 1 else [f"dx{i + 1}" for i in range(len(self.xs))]
        all_of_them = {**dict(zip(names, dxs, strict=True)), **{f"d{name}": g for name, g in gradients.items()}}
        return {name: array.copy() for name, array in all_of_them.items()}

    def with_parameter(self, name: str, value: Array) -> "Trial":
        """Return the trial with another value of one parameter."""
        return replace(self, params={**self.params, name: value})


@dataclass(frozen=True)
class LossTrial:
    """A loss, and what it was given."""

    loss: Loss
    logits: Array
    labels: Array


Experiment = Callable[[Trial, Wrong], str | None]


def is_not_linear(trial: Trial, wrong: Wrong) -> str | None:
    """Every backward is linear in dy; one that is not looks at dy, or overwrites."""
    rng = np.random.default_rng([0, 1])  # another stream than dy came from
    first = rng.normal(size=trial.dy.shape) * rng.integers(0, 2, trial.dy.shape)
    parts, whole = (trial.gradients(first), trial.gradients(trial.dy - first)), trial.gradients()
    for name in wrong:
        added = parts[0][name] + parts[1][name]
        if not np.allclose(added, whole[name], rtol=0, atol=NOT_ROUNDING * np.abs(added).max(initial=1e-300)):
            if trial.layer.window(trial.xs[0].shape[:-1]):
                return f"{name} is not linear in dy: where windows share a place, one overwrites the other"
            return f"{name} is not linear in dy: a mask is taken from the upstream gradient"
    return None


def ignores_a_parameter(trial: Trial, wrong: Wrong) -> str | None:
    """A wrong dx that stays the same when a parameter changes."""
    if "dx" not in wrong:
        return None
    before = trial.gradients()["dx"]
    for name, value in trial.params.items():
        other = trial.with_parameter(name, value * np.random.default_rng(0).uniform(1.1, 2, value.shape))
        if name not in ("b", "beta") and np.array_equal(other.gradients()["dx"], before):
            symbol = "γ" if name == "gamma" else name
            return f"dx does not change with {symbol}: it is forgotten, or an old copy"
    return None


def counts_some_images(trial: Trial, wrong: Wrong) -> str | None:
    """A wrong ∂L/∂θ to which only some images contribute."""
    names = [name for name in wrong if not name.startswith("dx")]
    M = trial.dy.shape[-1]
    if not names or M < 2:
        return None
    shares = [trial.gradients(trial.dy * (np.arange(M) == m)) for m in range(M)]
    for name in names:
        counted = [m for m in range(M) if shares[m][name].any()]
        if 0 < len(counted) < M:
            last = "the last image alone" if counted == [M - 1] else f"image {', '.join(map(str, counted))} alone"
            return f"{name}: {last} counts, of {M}: overwritten (=) where it must add up (+=)"
    return None


def mixes_images(trial: Trial, wrong: Wrong) -> str | None:
    """A wrong dx that looks at the other images of the batch, in a layer that does not."""
    if "dx" not in wrong or isinstance(trial.layer, CoupledLayer):
        return None
    first = np.arange(trial.dy.shape[-1]) == 0
    dx = trial.gradients(trial.dy * first)["dx"]
    if np.abs(dx[..., ~first]).max(initial=0) > NOT_ROUNDING * np.abs(dx).max():
        return "dx of an image depends on dy of the others: a mean or a sum runs over the batch"
    return None


def wants_another_weight(trial: Trial, wrong: Wrong) -> str | None:
    """A wrong dx that comes out right when backward is given W flipped or transposed."""
    if "dx" not in wrong or "W" not in trial.params:
        return None
    for W, said in _rearranged(trial.params["W"]):
        if wrong["dx"].explained_by(trial.with_parameter("W", W).gradients()["dx"]):
            return f"dx is right with W {said}"
    return None


def _rearranged(W: Array) -> Iterator[tuple[Array, str]]:
    if W.ndim == 4:
        yield W[..., ::-1, ::-1].copy(), "turned by 180°: the kernel is flipped where it must not be, or the other way"
        if W.shape[-1] == W.shape[-2]:
            yield W.swapaxes(-1, -2).copy(), "with kH and kW exchanged: they are mixed up"
    if W.shape[0] == W.shape[1]:
        yield W.swapaxes(0, 1).copy(), "transposed: in and out are mixed up"
    elif W.ndim == 2:
        yield W.T.copy().reshape(W.shape), "transposed, then reshaped: in and out are mixed up"


EXPERIMENTS: Sequence[Experiment] = (
    is_not_linear,
    ignores_a_parameter,
    counts_some_images,
    mixes_images,
    wants_another_weight,
)
