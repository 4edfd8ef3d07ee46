"""Tensor by tensor: is it what it should be, does it only follow from another that is not, or is it wrong by itself?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from cnnbp.arrays import Array, format_shape
from cnnbp.layers import PiecewiseLayer
from cnnbp.porting.comparison import Entry, TensorComparison, Verdict
from cnnbp.porting.hints import Mismatch, convention, plain_hint
from cnnbp.porting.layouts import IMAGE, Axes, batch_last
from cnnbp.porting.recipes import Recipe
from cnnbp.porting.tolerance import Tolerance

MOST_HINTS = 5  # tensors that are looked at closely: a mistake near the images spoils all that comes after


@dataclass(frozen=True, eq=False)
class Expected:
    """What a tensor should be, with its axes, both in the file's layout; how large a rounding of it is.

    What is given has no rounding of its own, and is part of what others are made of even where a file lacks it.
    """

    array: Array
    axes: Axes
    rounding: float
    is_given: bool

    def bound(self, tolerance: Tolerance) -> float:
        """Return how far an entry may be off; labels and masks are exact."""
        if self.array.dtype.kind != "f":
            return 0.0
        return tolerance.bound(float(np.abs(self.array).max(initial=0)) if self.is_given else self.rounding)

    @property
    def own(self) -> Array:
        """The array in cnnbp's own layout."""
        return batch_last(self.array, self.axes)


@dataclass(frozen=True)
class _SoFar:
    """Whether all was equal so far, whether a kink has made a difference, and how many tensors were wrong."""

    is_clean: bool = True
    kinks: bool = False
    wrong: int = 0

    def after(self, result: TensorComparison) -> "_SoFar":
        return _SoFar(
            self.is_clean and result.verdict == "equal",
            self.kinks or result.verdict == "kink",
            self.wrong + (result.verdict in ("wrong", "differs")),
        )


@dataclass(frozen=True, eq=False)
class Comparer:
    """`expected` and `recipes` by name; `found` are some of them, in the order of computation."""

    expected: Mapping[str, Expected]
    recipes: Mapping[str, Recipe]
    found: Mapping[str, Array]
    tolerance: Tolerance

    def results(self) -> Iterator[TensorComparison]:
        """Yield what comes out for each tensor that was found."""
        so_far = _SoFar()
        for name in self.found:
            with np.errstate(all="ignore"):
                result = self._result(name, so_far)
            so_far = so_far.after(result)
            yield result

    def _result(self, name: str, so_far: "_SoFar") -> TensorComparison:
        expected, array = self.expected[name], self.found[name]
        bound = expected.bound(self.tolerance)
        if problem := _unusable(array, expected):
            return TensorComparison(name, array.shape, "wrong", bound, hint=_turned(array, expected, bound) or problem)
        result = _measured(name, array, expected.array, bound)
        if result.verdict == "equal":
            return result
        verdict, hint = self._judged(name, so_far)
        return replace(result, verdict=verdict, hint=hint)

    def _judged(self, name: str, so_far: "_SoFar") -> tuple[Verdict, str | None]:
        """Say of a tensor that differs whether it is wrong by itself, and what it looks like."""
        recipe = self.recipes.get(name)
        by_itself: Verdict = "wrong" if so_far.is_clean or (recipe and all(map(self._has, recipe.needs))) else "differs"
        if not np.isfinite(self.found[name]).all():
            return by_itself, _not_finite(self.found[name])
        mismatch = self._mismatch(name, recipe)
        if recipe and mismatch.is_close(mismatch.right):
            flipped = self._flipped(recipe) if so_far.is_clean else None
            return "kink" if so_far.kinks or flipped else "follows", flipped
        if so_far.wrong >= MOST_HINTS:
            return by_itself, None
        if recipe is None:
            return by_itself, plain_hint(mismatch)
        if recipe.place and (choice := convention(recipe.place.step_back(self._own), mismatch)):
            return "kink", choice
        return by_itself, recipe.hint(self._own, mismatch)

    def _mismatch(self, name: str, recipe: Recipe | None) -> Mismatch:
        """Return a tensor beside what it should be, given what it is made of.

        The bound is wider where its numbers are larger than they should be.
        """
        expected, array = self.expected[name], self._own(name)
        right, largest = recipe.make(self._own) if recipe else expected.own, np.abs(expected.array).max(initial=0)
        grown = max(1.0, float(np.abs(array).max(initial=0) / largest)) if largest else 1.0
        axes = tuple(axis for axis in expected.axes if axis != IMAGE) + (IMAGE,) * (IMAGE in expected.axes)
        exactness = 1e-4 if self.tolerance.is_coarse else 1e-6
        return Mismatch(array, right, expected.bound(self.tolerance) * grown, axes, exactness)

    def _flipped(self, recipe: Recipe) -> str | None:
        """Say how many places of a piecewise layer rounding has put on another piece; None where there is none."""
        if recipe.place is None or not isinstance(recipe.place.node.layer, PiecewiseLayer):
            return None
        layer, sides = recipe.place.node.layer, []
        for of in (self._own, self._right):
            step = recipe.place.step(of)
            _, cache = step.forward()
            sides.append(layer.branches(step.params, cache, step.context))
        count, places = int((sides[0] != sides[1]).sum()), sides[0].size
        return f"{count} of {places} places are so near a kink that rounding decides on the side" if count else None

    def _has(self, name: str) -> bool:
        """Whether a tensor is there, or need not be, as it is given."""
        return name in self.found or self.expected[name].is_given

    def _own(self, name: str) -> Array:
        """Return a tensor as the other program has it, where it has it; else the right one."""
        array, expected = self.found.get(name), self.expected[name]
        if array is None or _unusable(array, expected) or not np.isfinite(array).all():
            return expected.own
        return batch_last(array.astype(expected.array.dtype), expected.axes)

    def _right(self, name: str) -> Array:
        return self.expected[name].own


def _unusable(array: Array, expected: Expected) -> str | None:
    if array.dtype.kind not in "fiub":
        return f"its dtype is {array.dtype}: real numbers are needed"
    if array.shape == expected.array.shape:
        return None
    needed = format_shape(expected.array.shape) + (f" ({', '.join(expected.axes)})" if expected.axes else "")
    return f"its shape is {format_shape(array.shape)}, it should be {needed}"


def _turned(array: Array, expected: Expected, bound: float) -> str | None:
    """Say in which order the axes are, where they hold the right numbers in another one."""
    if array.ndim != expected.array.ndim or array.dtype.kind not in "fiub":
        return None
    for order in permutations(range(array.ndim)):
        turned = expected.array.transpose(order)
        if turned.shape == array.shape and (np.abs(array - turned) <= bound).all():
            names = ", ".join(expected.axes[axis] for axis in order)
            return f"the right numbers, but its axes are ({names}), they should be ({', '.join(expected.axes)})"
    return None


def _measured(name: str, array: Array, right: Array, bound: float) -> TensorComparison:
    off = np.abs(array.astype(np.float64) - right)
    wrong, off = int((~(off <= bound)).sum()), np.where(np.isnan(off), np.inf, off)
    worst = np.unravel_index(int(off.argmax()), array.shape)
    entry = Entry(tuple(int(i) for i in worst), float(array[worst]), float(right[worst]))
    return TensorComparison(name, array.shape, "differs" if wrong else "equal", bound, float(off.max()), wrong, entry)


def _not_finite(array: Array) -> str:
    where = np.argwhere(~np.isfinite(array))
    return f"{len(where)} of {array.size} numbers are NaN or infinite, the first at {where[0].tolist()}"
