"""Mistakes in batch norm's backward, whose every term can be forgotten."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.bugs.mistakes import Bug, Step, instead_of_dx, on_gradient
from cnnbp.layers.base import Gradients
from cnnbp.layers.batchnorm import BatchNorm


@dataclass(frozen=True)
class _Terms:
    """What dX is made of, each (C, values): dX = γ/σ·(dy − mean(dy) − x̂·mean(dy·x̂))."""

    x: Array
    dy: Array
    gamma: Array
    eps: float

    @property
    def var(self) -> Array:
        return self.x.var(axis=1, keepdims=True)

    @property
    def xhat(self) -> Array:
        return (self.x - _mean(self.x)) / np.sqrt(self.var + self.eps)

    def dx(self, var: Array, mean_term: float = 1.0, variance_term: float = 1.0) -> Array:
        xhat = (self.x - _mean(self.x)) / np.sqrt(var)
        centred = self.dy - mean_term * _mean(self.dy) - variance_term * xhat * _mean(self.dy * xhat)
        return self.gamma / np.sqrt(var) * centred


def _mean(values: Array) -> Array:
    return values.mean(axis=1, keepdims=True)


def _instead(dx: Callable[[_Terms], Array]) -> Callable[[Step], Array]:
    def whole(step: Step) -> Array:
        C = len(step.x)
        gamma = step.params["gamma"][:, None]
        terms = _Terms(step.x.reshape(C, -1), step.dy.reshape(C, -1), gamma, dict(step.layer)["eps"])
        return dx(terms).reshape(step.x.shape)

    return whole


def _unbiased(terms: _Terms) -> Array:
    n = terms.x.shape[1]
    return terms.dx(terms.var * n / (n - 1) + terms.eps)


def _without_gamma(step: Step) -> tuple[Any, Gradients]:
    dx, _ = step.with_params(gamma=np.ones_like(step.params["gamma"]))
    return dx, step.right()[1]


def _running(step: Step) -> Array:
    scale = step.params["gamma"] / np.sqrt(step.ctx.state["running_var"] + dict(step.layer)["eps"])
    return step.dy * scale.reshape(-1, *(1,) * (step.dy.ndim - 1))


def _dgamma_of_x(step: Step, _: Array) -> Array:
    return (step.dy * step.x).reshape(len(step.x), -1).sum(axis=1)


def _dx(name: str, story: str, dx: Callable[[_Terms], Array]) -> Bug:
    return Bug(name, story, (BatchNorm,), instead_of_dx(_instead(dx)))


NORMALIZATION_BUGS = (
    _dx("no-mean-term", "the batch's mean is taken for a constant", lambda t: t.dx(t.var + t.eps, mean_term=0)),
    _dx("no-variance-term", "the variance is taken for a constant", lambda t: t.dx(t.var + t.eps, variance_term=0)),
    _dx("ddof-1", "backward divides by the unbiased variance", _unbiased),
    _dx("eps-dropped", "backward forgets ε", lambda t: t.dx(t.var)),
    Bug("dgamma-of-x", "dγ from x instead of x̂", (BatchNorm,), on_gradient("gamma", _dgamma_of_x)),
    Bug("dX-without-gamma", "dX forgets γ", (BatchNorm,), _without_gamma),
    Bug(
        "dbeta-averaged",
        "the mean over the images instead of the sum",
        (BatchNorm,),
        on_gradient("beta", lambda step, dbeta: dbeta / step.images),
    ),
    Bug("running-statistics", "backward with the running statistics", (BatchNorm,), instead_of_dx(_running)),
)
