"""What a gradient check found, as plain data."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import nan
from typing import Literal

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.display import Shown
from cnnbp.gradcheck.as_trained import AsTrained
from cnnbp.gradcheck.comparison import Finding, Verdict
from cnnbp.gradcheck.diagnosis import Pattern, finding_hint, pattern_of
from cnnbp.gradcheck.message import WrongGradientError, message
from cnnbp.gradcheck.single import Float32Result

COMES_THROUGH = "comes through"  # begins the hint of a gradient that only a guilty layer behind it spoils
LOSS = "loss"  # what stands for the loss where a layer is named

Outcome = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class WorstEntry:
    """The entry that is furthest outside its bound, or closest to it."""

    index: tuple[int, ...]
    analytic: float
    numeric: float
    bound: float
    kink: bool

    @property
    def ratio(self) -> float:
        """analytic / numeric; NaN where the true value may be 0."""
        return self.analytic / self.numeric if abs(self.numeric) > self.bound else nan


@dataclass(frozen=True)
class TensorResult:
    """The gradient by one tensor: its checked entries counted by verdict.

    `direction` is the verdict on entries that were moved together, along random directions: on `together` of them. Of
    `unchecked` entries nothing is known.
    """

    name: str
    shape: Shape
    checked: int
    passed: int
    failed: int
    zero: int
    inconclusive: int
    max_relative_error: float
    worst: WorstEntry
    direction: Outcome | None = None
    together: int = 0
    unchecked: int = 0
    hint: str | None = None
    finding: Finding | None = field(default=None, repr=False, compare=False)  # every entry, to be drawn

    @property
    def pattern(self) -> Pattern:
        """Every checked entry, as hints read them."""
        assert self.finding is not None
        return pattern_of(self.finding)

    @property
    def verdict(self) -> Outcome:
        """Fail if any entry failed, else inconclusive if any entry is."""
        entries: Outcome = "fail" if self.failed else "inconclusive" if self.inconclusive else "pass"
        return gravest([entries, self.direction or "pass"])


@dataclass(frozen=True)
class LayerResult:
    """One layer (or the loss) checked on its own."""

    name: str
    type: str
    tensors: tuple[TensorResult, ...]
    problems: tuple[str, ...] = ()
    hint: str | None = None

    @property
    def verdict(self) -> Outcome:
        """Fail if a tensor failed or something happened that must not."""
        return "fail" if self.problems else gravest(tensor.verdict for tensor in self.tensors)


@dataclass(frozen=True, repr=False)
class GradcheckReport(Shown):
    """A whole check: end to end by tensor, and layer by layer."""

    tensors: tuple[TensorResult, ...]
    layers: tuple[LayerResult, ...]
    problems: tuple[str, ...]
    seconds: float
    jittered: tuple[TensorResult, ...] = ()  # end to end once more, biases, γ and β moved away from 0 and 1
    float32: Float32Result | None = None
    notes: tuple[str, ...] = ()  # what is worth knowing and no mistake
    as_trained: AsTrained | None = None  # None where the network as it is written is wrong

    def __repr__(self) -> str:
        blame = f"; wrong alone: {', '.join(self.blame)}" if self.blame else ""
        return f"<GradcheckReport {self.verdict}, {self.checked:,} entries{blame}>"

    @property
    def verdict(self) -> Outcome:
        """Fail if anything failed, else inconclusive if anything is."""
        passes = [single.verdict for single in (self.float32, self.as_trained) if single]
        if self.problems or "fail" in passes:
            return "fail"
        tensors = [tensor.verdict for tensor in (*self.tensors, *self.jittered)]
        return gravest([*(layer.verdict for layer in self.layers), *tensors])

    @property
    def gradients_hold(self) -> bool:
        """Whether no gradient is wrong, layer by layer and end to end, of the network as it is written."""
        verdicts = [result.verdict for result in (*self.tensors, *self.jittered)]
        return bool(verdicts) and "fail" not in (*verdicts, *(layer.verdict for layer in self.layers))

    @property
    def blame(self) -> tuple[str, ...]:
        """The layers that fail on their own; where none does, what fails as trained."""
        alone = tuple(layer.name for layer in self.layers if layer.verdict == "fail")
        return alone or (self.as_trained.blame if self.as_trained else ())

    @property
    def hint(self) -> str | None:
        """What is wrong: a layer, as far as its wrong entries tell; else what stands between right layers."""
        if self.as_trained and self.as_trained.hint:
            return self.as_trained.hint
        if self.blame:
            return next((f"{layer.name}: {layer.hint}" for layer in self.layers if layer.hint), None)
        hints = {tensor.hint for tensor in self.tensors if tensor.verdict == "fail"}
        if not hints:
            return None
        [seen] = hints if len(hints) == 1 else [None]
        return "every layer is right alone: it is the wiring or the scaling" + (f"; {seen}" if seen else "")

    def raise_if_wrong(self) -> None:
        """Raise WrongGradientError, which is an AssertionError, unless all is right; its text says what is wrong."""
        if self.verdict != "pass":
            raise WrongGradientError(message(self))

    @property
    def checked(self) -> int:
        """Number of entries that were checked, in layers alone and end to end."""
        alone = [tensor for layer in self.layers for tensor in layer.tensors]
        return sum(tensor.checked for tensor in (*self.tensors, *self.jittered, *alone))

    @property
    def beyond(self) -> str:
        """What became of entries that were not checked one by one, as the verdict's line says it; empty without any."""
        tensors = [*self.tensors, *(tensor for layer in self.layers for tensor in layer.tensors)]
        together, unchecked = (sum(getattr(t, name) for t in tensors) for name in ("together", "unchecked"))
        said = [
            f"{together:,} more along directions" * (together > 0),
            f"{unchecked:,} unchecked" * (unchecked > 0),
        ]
        return ", ".join(filter(None, said))

    def __str__(self) -> str:
        return message(self)

    @property
    def entries_per_second(self) -> float:
        """Entries of both kinds per second."""
        return self.checked / self.seconds


def gravest(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of the whole, given those of its parts."""
    found = set(outcomes)
    return "fail" if "fail" in found else "inconclusive" if "inconclusive" in found else "pass"


def outcome(verdict: Verdict) -> Outcome:
    """Return what a verdict on one entry means for its tensor."""
    return "fail" if verdict == Verdict.FAIL else "inconclusive" if verdict == Verdict.INCONCLUSIVE else "pass"


def tensor_result(finding: Finding, name: str) -> TensorResult:
    """Count a finding's verdicts, pick its worst entry, and see what the wrong ones look like."""
    comparison, shape = finding.comparison, finding.claim.theta.shape
    count = {verdict: int((comparison.verdicts == verdict).sum()) for verdict in Verdict}
    difference = np.abs(comparison.analytic - comparison.numeric)
    size = np.maximum(np.abs(comparison.analytic), np.abs(comparison.numeric))
    counts = (comparison.verdicts != Verdict.ZERO) & (size > 0)
    relative = np.divide(difference, size, out=np.zeros_like(difference), where=counts)
    left = finding.claim.theta.size - len(comparison.entries)
    unchecked = finding.direction.unchecked if finding.direction else left
    return TensorResult(
        name=name,
        shape=shape,
        checked=len(comparison.entries),
        passed=count[Verdict.PASS],
        failed=count[Verdict.FAIL],
        zero=count[Verdict.ZERO],
        inconclusive=count[Verdict.INCONCLUSIVE],
        max_relative_error=float(relative.max()),
        worst=_worst(finding, difference),
        direction=outcome(finding.direction.verdict) if finding.direction else None,
        together=left - unchecked,
        unchecked=unchecked,
        hint=finding_hint(finding),
        finding=finding,
    )


def _worst(finding: Finding, difference: Array) -> WorstEntry:
    comparison = finding.comparison
    gravity = np.maximum(comparison.verdicts, Verdict.ZERO)  # passed and zero weigh alike
    excess = np.nan_to_num(difference / np.maximum(comparison.bound, np.finfo(float).tiny), nan=np.inf)
    at = np.lexsort((excess, gravity))[-1]
    index = np.unravel_index(comparison.entries[at], finding.claim.theta.shape)
    return WorstEntry(
        tuple(int(i) for i in index),
        float(comparison.analytic[at]),
        float(comparison.numeric[at]),
        float(comparison.bound[at]),
        bool(comparison.kink[at]),
    )
