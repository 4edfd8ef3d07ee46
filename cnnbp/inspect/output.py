"""Where the chain rule starts: from the loss to the logits Z, by way of the activation A that the loss has taken in.

Training computes ∂L/∂Z in one go, because its two factors overflow where their product does not. Here they stand
apart, as they are derived by hand; an infinite one belongs to a saturated output and is no mistake.
"""

from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array
from cnnbp.inspect.formulas import Line
from cnnbp.inspect.record import Record
from cnnbp.inspect.step import Step
from cnnbp.inspect.symbols import slope
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError


@dataclass(frozen=True)
class Derivation:
    """How a loss is reached from the logits, and ∂L/∂Z from the loss; a loss on the logits themselves has no A."""

    loss: Line
    dz: Line
    activation: tuple[Step, ...] = ()
    factors: tuple[Step, ...] = ()  # of ∂L/∂Z, as they are multiplied


def derive_output(record: Record, z: str, a: str) -> Derivation:
    """Return the steps between logits called `z` and the loss; their activation is called `a`."""
    match record.model.loss:
        case BinaryCrossEntropy():
            return _sigmoid(record, z, a)
        case CrossEntropy():
            return _softmax(record, z, a)
        case MeanSquaredError():
            return Derivation(
                Line(f"1/(M·K) Σₘ Σₖ ({z} − Y)²", (z, "Y")),
                Line(f"2({z} − Y)/(M·K)", (z, "Y")),
            )
        case other:
            return Derivation(
                Line(f"{other.type}({z}, Y)", (z, "Y")),
                Line(f"{other.type}′({z}, Y)", (z, "Y")),
            )


def targets(record: Record) -> Array:
    """Return Y, what the outputs should be, (K, M)."""
    return record.model.loss.targets(record.labels, len(record.logits), record.logits.dtype)


def _sigmoid(record: Record, z: str, a: str) -> Derivation:
    A, Y = record.model.loss.probabilities(record.logits)[1:], targets(record)  # (1, M)
    with np.errstate(divide="ignore", invalid="ignore"):
        dA = _shared(record, (A - Y) / (A * (1 - A)))
    return Derivation(
        loss=Line(f"−1/M Σₘ [Y log {a} + (1 − Y) log(1 − {a})]", (a, "Y")),
        dz=Line(f"{slope(a)} ⊙ ∂{a}/∂{z} = ({a} − Y)/M", (slope(a), f"∂{a}/∂{z}")),
        activation=(Step(a, f"σ({z})", "", A, reads=(z,)),),
        factors=(
            Step(slope(a), f"({a} − Y)/({a}(1 − {a}))/M", "", dA, reads=(a, "Y")),
            Step(f"∂{a}/∂{z}", f"{a}(1 − {a})", "", A * (1 - A), reads=(a,)),
        ),
    )


def _softmax(record: Record, z: str, a: str) -> Derivation:
    A, Y = record.model.loss.probabilities(record.logits), targets(record)  # (K, M)
    with np.errstate(divide="ignore"):
        dA = _shared(record, np.divide(-Y, A, out=np.zeros_like(A), where=Y != 0))
    return Derivation(
        loss=Line(f"−1/M Σₘ Σₖ Y log {a}", (a, "Y")),
        dz=Line(f"{a} ⊙ ({slope(a)} − Σₖ {a} ⊙ {slope(a)}) = ({a} − Y)/M", (a, slope(a))),
        activation=(Step(a, f"softmax({z})", "", A, reads=(z,)),),
        factors=(Step(slope(a), f"−Y/{a}/M", "", dA, reads=(a, "Y")),),
    )


def _shared(record: Record, slopes: Array) -> Array:
    """Give each image its share of the mean, 1/M, times the weight of its class where there is one."""
    weights = record.model.loss.class_weights
    share = 1 / len(record.labels)
    return slopes * share if weights is None else slopes * (np.asarray(weights)[record.labels] * share)
