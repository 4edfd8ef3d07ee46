"""What a gradient check found."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.gradcheck.verdicts import Comparison, Entry

Verdict = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class WorstEntry:
    """The entry furthest outside its bound, or closest to it."""

    index: tuple[int, ...]
    analytic: float
    numeric: float
    bound: float
    kink: bool

    @property
    def ratio(self) -> float:
        """analytic / numeric."""
        return self.analytic / self.numeric if self.numeric else float("nan")


@dataclass(frozen=True)
class TensorResult:
    """The entries of one gradient, counted by verdict."""

    name: str
    shape: Shape
    checked: int
    passed: int
    failed: int
    zero: int
    inconclusive: int
    max_relative_error: float
    worst: WorstEntry | None
    hint: str | None = None

    @property
    def verdict(self) -> Verdict:
        """Fail if any entry failed, else inconclusive if any entry is."""
        return "fail" if self.failed else "inconclusive" if self.inconclusive else "pass"


@dataclass(frozen=True)
class LayerResult:
    """One layer checked on its own."""

    name: str
    type: str
    tensors: tuple[TensorResult, ...]
    problems: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Fail if a tensor or a rule failed."""
        return "fail" if self.problems else gravest(tensor.verdict for tensor in self.tensors)


@dataclass(frozen=True)
class GradcheckReport:
    """The whole check: end to end by tensor, and layer by layer."""

    tensors: tuple[TensorResult, ...]
    layers: tuple[LayerResult, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """Fail if anything failed, else inconclusive if anything is."""
        return gravest([*(tensor.verdict for tensor in self.tensors), *(layer.verdict for layer in self.layers)])

    @property
    def blame(self) -> tuple[str, ...]:
        """The layers that fail on their own; `wiring` where all pass and the whole still fails."""
        guilty = tuple(layer.name for layer in self.layers if layer.verdict == "fail")
        return guilty or (("wiring",) if self.verdict == "fail" else ())

    @property
    def entries_per_second(self) -> float:
        """Entries checked, layer-wise ones included, per second."""
        results = [*self.tensors, *(tensor for layer in self.layers for tensor in layer.tensors)]
        return sum(result.checked for result in results) / self.seconds


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on the whole, given those on its parts."""
    verdicts = set(verdicts)
    return "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"


def summarize(name: str, shape: Shape, comparison: Comparison) -> TensorResult:
    """Count a comparison's verdicts and pick its worst entry."""
    counts = [int((comparison.verdicts == kind).sum()) for kind in Entry]
    difference = np.abs(comparison.analytic - comparison.numeric)
    scale = np.maximum(np.abs(comparison.analytic), np.abs(comparison.numeric))
    counted = comparison.verdicts != Entry.ZERO
    relative = np.divide(difference, scale, out=np.zeros_like(difference), where=counted & (scale > 0))
    return TensorResult(
        name, shape, len(comparison.entries), counts[0], counts[1], counts[2], counts[3],
        float(relative.max(initial=0.0)), _worst(shape, comparison, difference),
    )  # fmt: skip


def _worst(shape: Shape, comparison: Comparison, difference: Array) -> WorstEntry | None:
    if not len(difference):
        return None
    gravity = np.where(comparison.verdicts == Entry.FAIL, 2, comparison.verdicts == Entry.INCONCLUSIVE)
    excess = np.nan_to_num(difference / np.maximum(comparison.bound, np.finfo(float).tiny), nan=np.inf)
    at = max(range(len(difference)), key=lambda i: (gravity[i], excess[i]))
    index = tuple(int(i) for i in np.unravel_index(comparison.entries[at], shape))
    return WorstEntry(
        index,
        float(comparison.analytic[at]),
        float(comparison.numeric[at]),
        float(comparison.bound[at]),
        bool(comparison.kink[at]),
    )
