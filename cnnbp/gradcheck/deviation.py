"""How far what float32 gives is from the exact numbers: in roundings, of which correct ones are some away."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array

SINGLE_ROUNDOFF = float(np.finfo(np.float32).eps) / 2
ROUNDINGS = 40.0  # that a tensor may be away; sums of n terms add up to some √n, which BLAS keeps below 6
TAIL = 16.0  # times the root mean square: the worst of millions of correct numbers
_MANY = 0.5  # of the allowed: so many are worth a look
_HOPELESS = 100.0  # times the allowed: no closer look will explain it
_EXPLAINED = 0.1  # of what it is off: less is left where it is a factor
_OFF = 1e-3  # of the largest that a number is off: it counts as off, too

Amplified = Callable[[], Array]  # how much one rounding of what was read changes each number: measured only if asked


@dataclass(frozen=True)
class Deviation:
    """How many roundings (`units`) a tensor is away, where `allowed` are.

    They are the root mean square's, or the worst number's divided by TAIL. `kernel` is what computes the node's tensor,
    None for the layer as it is written; `remark` says what it is instead, where it is wrong.
    """

    node: str
    kernel: str | None
    tensor: str
    units: float
    allowed: float
    remark: str | None = None

    @property
    def wrong(self) -> bool:
        """Whether it is further away than rounding takes it, or not a number."""
        return not self.units <= self.allowed

    @property
    def of_parameter(self) -> bool:
        """Whether it is of ∂L/∂θ: dW, dγ, …"""
        return self.tensor.startswith("d") and self.tensor != "dx"

    @property
    def gravity(self) -> float:
        """What share of the allowed it is."""
        return self.units / self.allowed

    @property
    def where(self) -> str:
        """The node and its kernel."""
        return f"{self.node} ({self.kernel})" if self.kernel else self.node

    def __str__(self) -> str:
        return f"{self.where}: {self.tensor}"


def raised(where: tuple[str, str | None], tensor: str, error: Exception, allowed: float) -> Deviation:
    """Return what stands for a tensor that never came, as its computation raised."""
    return Deviation(*where, tensor, np.inf, allowed, f"raises {type(error).__name__}: {error}")


def deviation(
    where: tuple[str, str | None], tensor: str, found: Array, exact: Array, allowed: float, *amplified: Amplified
) -> Deviation:
    """Compare what was found (…, M), float32, with the exact numbers (…, m), whose m images take turns.

    At first a rounding is one of the numbers themselves. Terms that cancel amplify it: where there seem to be many they
    are counted again with the first of the given measurements, and if that does not settle it with the next.
    """
    if found.ndim != exact.ndim or found.shape[:-1] != exact.shape[:-1] or not found.size:
        return Deviation(*where, tensor, np.inf, allowed, f"has the shape {found.shape}, not {exact.shape}")
    turns: Array = np.arange(found.shape[-1]) % exact.shape[-1]
    off = np.abs(found - exact.astype(np.float32)[..., turns])
    own = np.abs(exact) / np.sqrt(3)
    units = _counted(off, own, turns)
    for measure in amplified:
        if _MANY * allowed < units < np.inf:
            units = _counted(off, np.maximum(own, measure()), turns)
        if not allowed < units < _HOPELESS * allowed:
            break
    remark = None if units <= allowed else _remark(found, exact[..., turns], off)
    return Deviation(*where, tensor, units, allowed, remark)


def _counted(off: Array, amplified: Array, turns: Array) -> float:
    """Return how many roundings numbers are off: the root mean square, or the worst of them by TAIL."""
    size = np.maximum(amplified, np.sqrt(np.mean(amplified * amplified)))
    one = np.maximum(SINGLE_ROUNDOFF * size, np.finfo(np.float32).tiny)  # what is smaller is lost in float32
    units = off / one.astype(np.float32)[..., turns]
    rms = np.sqrt(np.mean(units * units, dtype=np.float64))
    return float(np.nan_to_num(max(rms, units.max(initial=0) / TAIL), nan=np.inf))


def _remark(found: Array, exact: Array, off: Array) -> str:
    """Say what a wrong tensor looks like."""
    if not np.isfinite(found).all():
        return "has NaN or Inf"
    if not found.any():
        return "is 0"
    factor = float(np.vdot(exact, found)) / max(float(np.vdot(exact, exact)), float(np.finfo(float).tiny))
    if np.linalg.norm(found - factor * exact) < _EXPLAINED * np.linalg.norm(off):
        return f"is {factor:.6g} times what it should be"
    share, largest = float(np.mean(off > _OFF * off.max())), float(np.abs(exact).max())
    return f"is off by up to {off.max():.1e} at {share:.0%} of its numbers, which are up to {largest:.1e}"
