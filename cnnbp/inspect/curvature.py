"""How a batch's loss bends: along a step, and where it bends most.

H is the matrix of second derivatives of L by the parameters, on the pieces of ReLUs and pools that the batch is on.
It is never written down: H·v is the derivative of the gradient along v.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array
from cnnbp.inspect.record import Record, gradient_at
from cnnbp.layers import LAYERS, Add
from cnnbp.network import Network

COMPLEX_STEP = 1e-30
MOST_PASSES = 100  # of a power iteration
_ENOUGH = 1e-3  # of the eigenvalue: ‖H·v − λ·v‖ at which the iteration ends
_QUICK = 10_000_000  # multiply-accumulates of a pass forward: tens of milliseconds, and there are tens of passes

_OWN = frozenset((*LAYERS, Add))

Product = Callable[[Array], Array]


@dataclass(frozen=True)
class Curvature:
    """λ, the largest eigenvalue of H, found in so many passes; an eigenvalue lies within `error` = ‖H·v − λ·v‖ of it.

    `longest_rate` is 2/λ: with a larger learning rate plain gradient descent grows along v, on a parabola (LeCun,
    Simard & Pearlmutter 1993); networks train near it (Cohen et al. 2021, arXiv:2103.00065). None where L nowhere
    bends upwards.
    """

    largest: float
    error: float
    passes: int
    longest_rate: float | None


@dataclass(frozen=True)
class Parabola:
    """L along a step Δθ to second order: L + slope·t + bend·t²/2, where t = 1 is the whole step."""

    slope: float  # gᵀ·Δθ
    bend: float  # Δθᵀ·H·Δθ

    @property
    def change(self) -> float:
        """What the whole step changes L by, to second order."""
        return self.slope + self.bend / 2

    @property
    def reach(self) -> float | None:
        """t at which L is back where it was: a step longer than that many of these raises it; None where none does."""
        return -2 * self.slope / self.bend if self.slope < 0 < self.bend else None


def curvature_product(record: Record) -> Product:
    """Return v → H·v, both (N,), at the recorded batch's parameters.

    By the complex step, H·v = Im ∇L(θ + i·h·v)/h, exact to rounding (Squire & Trapp 1998); by central differences
    of ∇L where a layer is not cnnbp's own, as it need not know complex numbers.
    """
    theta = record.tape.params.vector
    if all(type(node.layer) in _OWN for node in record.model.network.nodes):
        return lambda v: gradient_at(record, theta + COMPLEX_STEP * 1j * v).imag / COMPLEX_STEP

    def differences(v: Array) -> Array:
        length = float(np.linalg.norm(v))
        h = np.cbrt(np.finfo(np.float64).eps) * max(float(np.linalg.norm(theta)), 1.0) / length if length else 1.0
        return (gradient_at(record, theta + h * v) - gradient_at(record, theta - h * v)) / (2 * h)

    return differences


def parabola(record: Record, step: Array) -> Parabola:
    """Follow the loss along a step Δθ (N,)."""
    return Parabola(float(record.gradient.vector @ step), float(step @ curvature_product(record)(step)))


def curvature_is_quick(network: Network, images: int) -> bool:
    """Whether the largest curvature of a batch's loss is found in seconds."""
    return images * network.macs <= _QUICK


def largest_curvature(record: Record, seed: int = 0) -> Curvature:
    """Find the largest curvature of a recorded batch's loss."""
    return largest_eigenvalue(curvature_product(record), record.gradient.vector.size, seed)


def largest_eigenvalue(product: Product, size: int, seed: int = 0) -> Curvature:
    """Find the largest eigenvalue of H by power iteration from a random v.

    That finds the eigenvalue of the largest size. Where it is below 0, the iteration is repeated for H − λ·1, in
    which the largest one of H is farthest from 0.
    """
    start = np.random.default_rng(seed).normal(size=size)
    value, error, passes = _power_iteration(product, start)
    if value < 0:
        lowest = value
        above, error, more = _power_iteration(lambda v: product(v) - lowest * v, start)
        value, passes = lowest + above, passes + more
    return Curvature(value, error, passes, 2 / value if value > error else None)


def _power_iteration(product: Product, v: Array) -> tuple[float, float, int]:
    """Multiply by H until v is nearly an eigenvector; return v·H·v for v of length 1, its error and the passes.

    The error of v·H·v is of second order in that of v.
    """
    value, error, passes = 0.0, 0.0, 0
    while v.any() and passes < MOST_PASSES and (not passes or error > _ENOUGH * abs(value)):
        v = v / np.linalg.norm(v)
        w = product(v)
        value, passes = float(v @ w), passes + 1
        error, v = float(np.linalg.norm(w - value * v)), w
    return value, error, passes
