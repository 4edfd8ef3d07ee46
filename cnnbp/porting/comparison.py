"""What came out of a comparison, tensor by tensor in the order of computation."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

from cnnbp.arrays import Shape
from cnnbp.porting.tolerance import Tolerance

Verdict = Literal["equal", "kink", "follows", "differs", "wrong"]


@dataclass(frozen=True)
class Entry:
    """The entry that is furthest off; both values as the files have them."""

    index: tuple[int, ...]
    found: float
    expected: float


@dataclass(frozen=True)
class TensorComparison:
    """One tensor. `bound` is how far an entry may be off, `wrong` how many are further off.

    `worst` is None where shapes differ. A `kink` is another choice where there are two; `follows` is right for the
    wrong numbers that it is made of; `wrong` is wrong whatever they are; `differs` may be either: they are not there.
    """

    name: str
    shape: Shape
    verdict: Verdict
    bound: float
    difference: float = 0.0
    wrong: int = 0
    worst: Entry | None = None
    hint: str | None = None

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)

    @property
    def share(self) -> float:
        """The largest difference as a share of what is tolerated."""
        return self.difference / self.bound if self.difference else 0.0


@dataclass(frozen=True)
class ComparisonReport:
    """All tensors that both sides have, in the order of computation; what is missing, and what nobody asked for."""

    tensors: tuple[TensorComparison, ...]
    missing: tuple[str, ...]
    unknown: Mapping[str, str | None]  # with the name that was probably meant
    tolerance: Tolerance
    cancelled: tuple[str, ...] = ()  # gradients of biases before batch norm, which are 0

    @property
    def first(self) -> TensorComparison | None:
        """The first tensor that is wrong; where each follows from the one before, the first that is off."""
        bad = [tensor for tensor in self.tensors if tensor.verdict in ("wrong", "differs")]
        return next(iter((*bad, *(tensor for tensor in self.tensors if tensor.verdict == "follows"))), None)

    @property
    def closest(self) -> TensorComparison:
        """The tensor that comes nearest to its tolerance, of those that are equal."""
        equal = [tensor for tensor in self.tensors if tensor.verdict == "equal"]
        return max(equal or self.tensors, key=lambda tensor: tensor.share)

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """Fail where a tensor is not what it should be."""
        return "fail" if self.first else "pass"
