"""Mistakes in the backward of batch norm and group norm, whose every term can be forgotten."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs.mistakes import BackwardPass, Bug, instead_of_dx, on_gradient
from cnnbp.layers.base import Gradients, Layer
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.groupnorm import GroupNorm

BOTH: tuple[type[Layer], ...] = (BatchNorm, GroupNorm)


@dataclass(frozen=True)
class _Terms:
    """What dX is made of, each (sets, values that are normalised together, …): dX = (dx̂ − mean dx̂ − x̂·mean(dx̂·x̂))/σ."""

    x: Array
    dxhat: Array  # γ·dy
    eps: float

    @property
    def var(self) -> Array:
        return self.x.var(axis=1, keepdims=True)

    @property
    def xhat(self) -> Array:
        return (self.x - _mean(self.x)) / np.sqrt(self.var + self.eps)

    def dx(self, var: Array, mean_term: float = 1.0, variance_term: float = 1.0) -> Array:
        xhat = (self.x - _mean(self.x)) / np.sqrt(var)
        centred = self.dxhat - mean_term * _mean(self.dxhat) - variance_term * xhat * _mean(self.dxhat * xhat)
        return centred / np.sqrt(var)


def _mean(values: Array) -> Array:
    return values.mean(axis=1, keepdims=True)


def _sets(step: BackwardPass) -> tuple[int, ...]:
    """Return the shape in which the second axis runs over the values that are normalised together."""
    if isinstance(step.layer, GroupNorm):
        return step.layer.groups, -1, step.images
    return len(step.x), -1


def _instead(dx: Callable[[_Terms], Array]) -> Callable[[BackwardPass], Array]:
    def whole(step: BackwardPass) -> Array:
        dxhat = step.params["gamma"].reshape(-1, *(1,) * (step.dy.ndim - 1)) * step.dy
        sets = _sets(step)
        return dx(_Terms(step.x.reshape(sets), dxhat.reshape(sets), dict(step.layer)["eps"])).reshape(step.x.shape)

    return whole


def _unbiased(terms: _Terms) -> Array:
    n = terms.x.shape[1]
    return terms.dx(terms.var * n / (n - 1) + terms.eps)


def _without_gamma(step: BackwardPass) -> tuple[Any, Gradients]:
    dx, _ = step.with_params(gamma=np.ones_like(step.params["gamma"]))
    return dx, step.right()[1]


def _running(step: BackwardPass) -> Array:
    scale = step.params["gamma"] / np.sqrt(step.ctx.state["running_var"] + dict(step.layer)["eps"])
    return step.dy * scale.reshape(-1, *(1,) * (step.dy.ndim - 1))


def _over_the_batch(terms: _Terms) -> Array:
    """Take the means over all images at once, as batch norm does."""
    x, dxhat = (np.moveaxis(array, -1, 1) for array in (terms.x, terms.dxhat))  # (groups, M, n)
    whole = _Terms(x.reshape(len(x), -1), dxhat.reshape(len(x), -1), terms.eps)
    return np.moveaxis(whole.dx(whole.var + terms.eps).reshape(x.shape), 1, -1)


def _dgamma_of_x(step: BackwardPass, _: Array) -> Array:
    return (step.dy * step.x).reshape(len(step.x), -1).sum(axis=1)


def _dx(name: str, story: str, dx: Callable[[_Terms], Array]) -> Bug:
    return Bug(name, story, BOTH, instead_of_dx(_instead(dx)))


NORMALIZATION_BUGS = (
    _dx("no-mean-term", "the mean is taken for a constant", lambda t: t.dx(t.var + t.eps, mean_term=0)),
    _dx("no-variance-term", "the variance is taken for a constant", lambda t: t.dx(t.var + t.eps, variance_term=0)),
    _dx("ddof-1", "backward divides by the unbiased variance", _unbiased),
    _dx("eps-dropped", "backward forgets ε", lambda t: t.dx(t.var)),
    Bug(
        "means-over-the-batch",
        "the means are those of all images at once",
        (GroupNorm,),
        instead_of_dx(_instead(_over_the_batch)),
        mixes_images=True,
    ),
    Bug("dgamma-of-x", "dγ from x instead of x̂", BOTH, on_gradient("gamma", _dgamma_of_x)),
    Bug("dX-without-gamma", "dX forgets γ", BOTH, _without_gamma),
    Bug(
        "dbeta-averaged",
        "the mean over the images instead of the sum",
        BOTH,
        on_gradient("beta", lambda step, dbeta: dbeta / step.images),
    ),
    Bug("running-statistics", "backward with the running statistics", (BatchNorm,), instead_of_dx(_running)),
)
