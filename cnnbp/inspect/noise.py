"""How far the images of a batch agree on where the parameters should go.

gₘ is the gradient of one image's loss, g their mean over the M images: the batch's gradient.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from cnnbp.arrays import Array
from cnnbp.inspect.record import Record
from cnnbp.network import Network
from cnnbp.parameters import Parameters

_QUICK = 1_000_000_000  # multiply-accumulates of all passes, forward: a few seconds


@dataclass(frozen=True)
class Noise:
    """What M independent images tell of the gradient of all images: its length, and how far single ones scatter.

    `variance` is tr Σ, the summed variances of gₘ, and `signal` ‖∇L‖² = ‖g‖² − tr Σ/M, what is left of ‖g‖² without
    that of the noise; both are unbiased, so the second may come out below 0.

    `scale` is tr Σ/‖∇L‖²: the images of a batch whose signal is as strong as its noise, None where noise hides the
    signal. Far smaller batches take steps that are mostly noise, far larger ones hardly gain from further images
    (the simple noise scale of McCandlish et al. 2018, arXiv:1812.06162, appendix A.1). `signal_to_noise` is
    M·‖∇L‖²/tr Σ, this batch's; None without noise.
    """

    images: int
    variance: float
    signal: float
    scale: float | None
    signal_to_noise: float | None

    @classmethod
    def of(cls, norms: Array, of_mean: float) -> "Noise | None":
        """Return the noise from all ‖gₘ‖ (M,) and ‖g‖; None for a single image, which scatters around nothing."""
        M = len(norms)
        if M < 2:
            return None
        variance = max(float(norms @ norms) - M * of_mean**2, 0.0) / (M - 1)
        signal = of_mean**2 - variance / M
        scale = variance / signal if signal > 0 else None
        return cls(M, variance, signal, scale, M * signal / variance if variance else None)


@dataclass(frozen=True)
class Agreement:
    """Mean cosines of the gradients of two images: of all pairs, of one class, and of two; None without such pairs.

    `against` counts the images whose own step would raise the batch's loss: gₘ·g < 0
    (Fort et al. 2019, "Stiffness", arXiv:1901.09491).
    """

    all: float | None
    same_class: float | None
    other_class: float | None
    against: int


@dataclass(frozen=True)
class Shares:
    """The images' shares gₘ/M of the batch's gradient, measured one by one so that none needs to be kept.

    Their norms over all parameters (M,) and for each, "conv1.W" → (M,); their noise, None for a single image; and
    how far they agree.
    """

    norms: Array
    parameters: dict[str, Array]
    noise: Noise | None
    agreement: Agreement


def shares_are_quick(network: Network, images: int) -> bool:
    """Whether the shares of a batch are measured in seconds: coupled images take a pass over the batch for each."""
    return not network.couples_images or images**2 * network.macs <= _QUICK


def by_class(labels: Array) -> list[int]:
    """Return the images (M,) in the order in which `measure_shares` takes them."""
    return [int(m) for m in np.argsort(labels, kind="stable")]


def measure_shares(record: Record, shares: Iterable[Parameters]) -> Shares:
    """Measure the images' gradients, which come in the order of `by_class`: then one class's sum is held at a time."""
    order, labels = by_class(record.labels), record.labels
    norms = np.zeros(len(order))
    parameters = {name: np.zeros(len(order)) for name, _ in record.gradient.named()}
    total, pairs, against = np.zeros_like(record.gradient.vector), _Pairs(), 0
    for _, group in groupby(zip(order, shares, strict=True), lambda share: labels[share[0]]):
        units, count = np.zeros_like(total), 0
        for m, share in group:
            norms[m] = np.linalg.norm(share.vector)
            for name, array in share.named():
                parameters[name][m] = np.linalg.norm(array)
            against += bool(share.vector @ record.gradient.vector < 0)
            if norms[m]:
                units += share.vector / norms[m]
                count += 1
        pairs.add(units, count)
        total += units
    noise = Noise.of(len(norms) * norms, float(np.linalg.norm(record.gradient.vector)))
    return Shares(norms, parameters, noise, pairs.agreement(total, against))


class _Pairs:
    """The summed cosines of pairs of one class. Σ over pairs i ≠ j of uᵢ·uⱼ is ‖Σ u‖² − n for unit vectors u."""

    def __init__(self) -> None:
        self.vectors, self.pairs, self.cosines = 0, 0, 0.0

    def add(self, units: Array, count: int) -> None:
        """Count a class's images by the sum of their unit vectors (N,)."""
        self.vectors += count
        self.pairs += count * (count - 1)
        self.cosines += float(units @ units) - count

    def agreement(self, total: Array, against: int) -> Agreement:
        """Return the means, given the sum of all unit vectors (N,)."""
        n = self.vectors
        pairs, cosines = n * (n - 1), float(total @ total) - n
        return Agreement(
            _mean(cosines, pairs),
            _mean(self.cosines, self.pairs),
            _mean(cosines - self.cosines, pairs - self.pairs),
            against,
        )


def _mean(total: float, count: int) -> float | None:
    return total / count if count else None
