"""What the numbers of a recorded batch come to: tensor by tensor, parameter by parameter, image by image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.inspect.noise import Noise, Shares
from cnnbp.inspect.record import Record
from cnnbp.inspect.step import Step
from cnnbp.inspect.symbols import Symbols
from cnnbp.network import INPUT


@dataclass(frozen=True)
class TensorStatistics:
    """A tensor (…, M) in a line; `zeros` is the share of numbers that are exactly 0."""

    symbol: str
    layer: str
    shape: Shape
    mean: float
    std: float
    min: float
    max: float
    zeros: float


@dataclass(frozen=True)
class Spread:
    """How the norms of the images' shares of a gradient ‖gₘ‖ lie, and how far the gₘ agree.

    `agreement` is ‖Σ gₘ‖/Σ‖gₘ‖: 1 where all images pull one way, towards 0 where they cancel. `noise` is None for one.
    """

    min: float
    median: float
    max: float
    agreement: float
    noise: Noise | None


@dataclass(frozen=True)
class ParameterStatistics:
    """A parameter θ and its gradient in a line; `ratio` is ‖∂L/∂θ‖/‖θ‖, `images` None where they were not measured."""

    name: str
    symbol: str
    shape: Shape
    gradient_norm: float
    norm: float
    ratio: float | None
    images: Spread | None


@dataclass(frozen=True)
class ImageStatistics:
    """One image, at `index` in its batch: its loss, what the network takes it for, and its shares of ∂L/∂θ and ∂L/∂X.

    Of the shares the norms are given; `gradient_norm` is None where it was not measured.
    """

    index: int
    name: str
    label: int
    prediction: int
    probability: float  # of its label
    loss: float
    gradient_norm: float | None
    input_gradient_norm: float


def tensor_statistics(step: Step) -> TensorStatistics:
    """Sum up one step of a derivation."""
    x = step.value
    with np.errstate(invalid="ignore"):  # an infinite factor of a saturated output has no spread
        mean, std = float(x.mean()), float(x.std())
    return TensorStatistics(
        step.symbol, step.layer, x.shape, mean, std, float(x.min()), float(x.max()), float((x == 0).mean())
    )


def parameter_statistics(record: Record, symbols: Symbols, shares: Shares | None) -> list[ParameterStatistics]:
    """Sum up every parameter's gradient, in the order of the layers."""
    lines = []
    for name, theta in record.model.params.named():
        layer, _, tensor = name.rpartition(".")
        gradient_norm, norm = _norm(record.gradient[layer][tensor]), _norm(theta)
        spread = _spread(shares.parameters[name], gradient_norm) if shares else None
        ratio = gradient_norm / norm if norm else None
        symbol = symbols.parameters[layer][tensor]
        lines.append(ParameterStatistics(name, symbol, theta.shape, gradient_norm, norm, ratio, spread))
    return lines


def image_statistics(record: Record, names: Sequence[str], shares: Shares | None) -> list[ImageStatistics]:
    """Sum up every image, the one with the largest loss first."""
    loss, dX = record.model.loss, record.tape.gradients[INPUT]
    predictions, probabilities = loss.predictions(record.logits), loss.probabilities(record.logits)
    return [
        ImageStatistics(
            index=int(m),
            name=names[m],
            label=int(record.labels[m]),
            prediction=int(predictions[m]),
            probability=float(probabilities[record.labels[m], m]),
            loss=float(record.losses[m]),
            gradient_norm=float(shares.norms[m]) if shares else None,
            input_gradient_norm=_norm(dX[..., m]),
        )
        for m in np.argsort(-record.losses, kind="stable")
    ]


def _spread(norms: Array, of_sum: float) -> Spread:
    total = float(norms.sum())
    agreement = of_sum / total if total else 1.0
    noise = Noise.of(len(norms) * norms, of_sum)
    return Spread(float(norms.min()), float(np.median(norms)), float(norms.max()), agreement, noise)


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array.astype(np.float64).ravel()))
