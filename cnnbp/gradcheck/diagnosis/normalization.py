"""Batch norm and group norm: dx = (dx̂ − mean dx̂ − x̂·mean(dx̂·x̂))/σ has three terms: in dx̂ = γ·dy, in 1 and in x."""

from collections.abc import Sequence

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.diagnosis.pattern import Pattern
from cnnbp.gradcheck.diagnosis.trial import Experiment, Trial, Wrong
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.groupnorm import GroupNorm

TERMS = ("dx̂", "1", "x")


def misses_a_term(trial: Trial, wrong: Wrong) -> str | None:
    """Compare the terms that backward's dx has with those of the right one."""
    if not isinstance(trial.layer, BatchNorm | GroupNorm) or "dx" not in wrong:
        return None
    pattern = wrong["dx"]
    got, needed = (_terms(trial, dx, pattern.known) for dx in (pattern.analytic, pattern.numeric))
    if got is None or needed is None:
        return None
    size = np.abs(needed).max(axis=0)  # of each term, over all sets
    scale = got[:, 0] / needed[:, 0]
    if not np.allclose(scale, 1, rtol=1e-7):
        return _scale_hint(trial, scale, got, size)
    off = np.abs(got - needed).max(axis=0) > 1e-7 * size
    if off[2]:
        return "dx lacks the variance's term −x̂·mean(dy·x̂), or has a wrong one: σ² depends on x"
    return "dx lacks the mean's term −mean(dy), or has a wrong one: μ depends on x" if off[1] else None


def _terms(trial: Trial, dx: Array, known: Array) -> Array | None:
    """Return what each set's dx is in dx̂, 1 and x, (sets, 3); None where it is something else."""
    found = []
    dxhat = trial.params["gamma"].reshape(-1, *(1,) * (trial.dy.ndim - 1)) * trial.dy
    rows = (_sets(trial, array) for array in (dx, dxhat, trial.xs[0], known))
    for gradient, upstream, x, where in zip(*rows, strict=True):
        basis = np.stack([upstream[where], np.ones(where.sum()), x[where]], axis=1)
        terms, _, rank, _ = np.linalg.lstsq(basis, gradient[where], rcond=None)
        fits = np.allclose(basis @ terms, gradient[where], rtol=0, atol=1e-8 * np.abs(gradient[where]).max(initial=0))
        if len(basis) <= len(TERMS) or rank < len(TERMS) or not fits:
            return None
        found.append(terms)
    return np.array(found)


def _sets(trial: Trial, values: Array) -> Array:
    """Return the values that are normalised together row by row: (channels, n), or (groups · images, n)."""
    if isinstance(trial.layer, GroupNorm):
        M = values.shape[-1]
        return np.moveaxis(values.reshape(trial.layer.groups, -1, M), -1, 1).reshape(trial.layer.groups * M, -1)
    return values.reshape(len(values), -1)


def _scale_hint(trial: Trial, scale: Array, got: Array, size: Array) -> str:
    assert isinstance(trial.layer, BatchNorm | GroupNorm)
    x, eps = _sets(trial, trial.xs[0]), trial.layer.eps
    n, var = x.shape[1], x.var(axis=1)
    if (np.abs(got[:, 1:]) <= 1e-9 * size[1:]).all():
        return "dx is dy times a constant per channel: the running statistics, or μ and σ² taken for constants"
    if np.allclose(scale, np.sqrt((var + eps) / (var * n / (n - 1) + eps)), rtol=1e-8):
        return "the variance in dx is divided by n − 1: forward divides by n"
    if np.allclose(scale, np.sqrt((var + eps) / var), rtol=1e-8):
        return "ε is missing from 1/√(σ² + ε) in dx"
    return f"1/√(σ² + ε) in dx is {scale.min():.4g} to {scale.max():.4g} times what it should be"


def multiplies_x(trial: Trial, wrong: Wrong) -> str | None:
    """A dγ that is made of x."""
    if not isinstance(trial.layer, BatchNorm | GroupNorm) or "dgamma" not in wrong:
        return None
    of_x = (trial.dy * trial.xs[0]).reshape(len(trial.dy), -1).sum(axis=1)
    return "dgamma is Σ dy·x: x̂ is meant" if _is(wrong["dgamma"], of_x) else None


def _is(pattern: Pattern, candidate: Array) -> bool:
    return np.allclose(pattern.analytic, candidate, rtol=1e-9)


NORMALIZATION_EXPERIMENTS: Sequence[Experiment] = (misses_a_term, multiplies_x)
