"""The network as it is written, in float32: is its gradient the float64 one, but for rounding?

What trains replaces most layers by others; `as_trained.py` compares that.

Differences are of no use in float32. The analytic float64 gradient is exact enough to compare with, if it is taken at
the same numbers and on the same branches: rounding alone turns some masks and maxima. A difference is counted in
roundings, that is in units of what the float64 pass becomes when every number that a node reads is off by one. What
seems too many roundings away is counted again, with its own rounding better known.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.gradcheck.arguments import Argument
from cnnbp.gradcheck.endtoend import NetworkCase, arguments
from cnnbp.gradcheck.point import Point, as_computation
from cnnbp.gradcheck.replay import AllGradients, replay
from cnnbp.gradcheck.rounding import Amplification
from cnnbp.network import INPUT

UNIT_ROUNDOFF = float(np.finfo(np.float32).eps) / 2
MOST_UNITS = 500.0  # sums of n terms add up to about √n roundings; one detour over half precision costs 2¹³


@dataclass(frozen=True)
class Float32Tensor:
    """How far the float32 gradient of one tensor is from the float64 one: `units` are roundings, of the worst entry."""

    name: str
    shape: Shape
    units: float
    max_difference: float


@dataclass(frozen=True)
class Float32Result:
    """The float32 gradients; `flipped` of `branches` are on another piece than in float64."""

    tensors: tuple[Float32Tensor, ...]
    flipped: int
    branches: int

    @property
    def worst(self) -> Float32Tensor:
        """The tensor that is the most roundings away."""
        return max(self.tensors, key=lambda tensor: np.nan_to_num(tensor.units, nan=np.inf))

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """Fail where a gradient is further away than rounding takes it, or is not a number."""
        return "pass" if all(tensor.units <= MOST_UNITS for tensor in self.tensors) else "fail"


def compare_float32(point: Point, double: NetworkCase) -> Float32Result:
    """Run a point in float32, and compare its gradients with float64 ones at the same numbers.

    `double` is what a float64 run at the point itself has claimed.
    """
    single = point.astype(np.float32)
    tape, logits = single.forward()
    _, cache = single.loss.forward(logits, single.labels)
    dlogits = single.loss.backward(cache, len(single.labels))
    parameters = single.backward(tape, dlogits)
    found = AllGradients(dict(parameters.named()), {INPUT: tape.gradients[INPUT]})
    computation, caches = as_computation(single.astype(np.float64), tape), dict(enumerate(tape.caches))
    exact = replay(computation, caches)
    tensors = [
        _tensor(argument, np.abs(argument.gradient_in(found) - argument.gradient_in(exact)), double.amplification)
        for argument in arguments(computation)
    ]
    pieces = [(computation.branches[index], array) for index, array in double.computation.branches.items()]
    flipped = sum(int((one != other).sum()) for one, other in pieces)
    return Float32Result(tuple(tensors), flipped, sum(array.size for _, array in pieces))


def _tensor(argument: Argument, difference: Array, amplification: Amplification) -> Float32Tensor:
    units = _units(argument, difference, amplification)
    if MOST_UNITS < units < np.inf:
        units = _units(argument, difference, amplification.closer)
    return Float32Tensor(argument.name, difference.shape, units, float(difference.max()))


def _units(argument: Argument, difference: Array, amplification: Amplification) -> float:
    smallest = float(np.finfo(np.float32).tiny)  # what is smaller is lost in float32
    return float((difference / np.maximum(UNIT_ROUNDOFF * amplification.of(argument), smallest)).max())
