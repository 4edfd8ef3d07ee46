"""Hints from right numbers in wrong places: flipped, transposed, swapped, shifted, out of order."""

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.diagnosis.pattern import Pattern


def flipped(pattern: Pattern) -> str | None:
    """Right when rows or columns are read backwards."""
    row, column = pattern.axis("row"), pattern.axis("column")
    if row is None or column is None:
        return None
    for axes, said in (((row, column), "turned by 180°"), ((row,), "rows reversed"), ((column,), "columns reversed")):
        if pattern.explained_by(np.flip(pattern.analytic, axes)):
            return f"right when it is {said}: " + ("the kernel is flipped" if row > 1 else "the map is flipped")
    return None


def places_transposed(pattern: Pattern) -> str | None:
    """Right when rows and columns are exchanged."""
    row, column = pattern.axis("row"), pattern.axis("column")
    if row is None or column is None or not pattern.explained_by(pattern.analytic.swapaxes(row, column)):
        return None
    return "right when rows and columns are exchanged: H and W are mixed up"


def channels_swapped(pattern: Pattern) -> str | None:
    """Right when a weight's first two axes are exchanged."""
    if pattern.axes[:2] not in (("filter", "channel"), ("unit", "feature")):
        return None
    analytic, kind = pattern.analytic, f"{pattern.axes[0]}s and {pattern.axes[1]}s"
    if pattern.explained_by(analytic.swapaxes(0, 1)):
        return f"right when {kind} are exchanged: transposed"
    other_way = analytic.reshape(analytic.shape[1], analytic.shape[0], *analytic.shape[2:]).swapaxes(0, 1)
    if pattern.explained_by(other_way):
        return f"right when {kind} are exchanged: transposed, then reshaped"
    return None


def shifted(pattern: Pattern) -> str | None:
    """Right when all is moved back by a row, a column or both."""
    row, column = pattern.axis("row"), pattern.axis("column")
    if row is None or column is None:
        return None
    steps = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
    for step in steps:
        if _explained_inside(pattern, np.roll(pattern.analytic, step, (row, column)), row, column):
            ways = [f"one {name}" for name, by in zip(("row", "column"), step, strict=True) if by]
            return f"right when moved by {' and '.join(ways)}: padding is cropped off at the wrong place"
    return None


def _explained_inside(pattern: Pattern, moved: Array, row: int, column: int) -> bool:
    """Whether all but the outermost rows and columns are explained, and some of them were wrong."""
    inside = np.ones(pattern.numeric.shape, bool)
    for axis in (row, column):
        inside &= _inner(pattern.numeric.shape[axis]).reshape([-1 if i == axis else 1 for i in range(inside.ndim)])
    inside &= pattern.known
    close = np.abs(moved - pattern.numeric) <= pattern.slack
    return bool((pattern.wrong & inside).sum() > 1 and close[inside].all())


def _inner(n: int) -> Array:
    return (np.arange(n) > 0) & (np.arange(n) < n - 1)


def out_of_order(pattern: Pattern) -> str | None:
    """The right numbers at other places."""
    known = pattern.known
    numeric, analytic = pattern.numeric[known], np.sort(pattern.analytic, axis=None)
    if len(np.unique(numeric)) < 3 or np.count_nonzero(numeric) < np.count_nonzero(pattern.analytic[known]):
        return None
    above = np.searchsorted(analytic, numeric).clip(1, analytic.size - 1)
    nearest = np.minimum(np.abs(analytic[above] - numeric), np.abs(analytic[above - 1] - numeric))
    if (nearest <= pattern.slack[known]).all():
        return "the right numbers at other places: a reshape in another order of axes"
    return None


def another_channels(pattern: Pattern) -> str | None:
    """Some channels hold what belongs to others, that are right."""
    for name in ("channel", "filter", "unit", "feature"):
        axis = pattern.axis(name)
        if axis is None:
            continue
        analytic = np.moveaxis(pattern.analytic, axis, 0)
        wrong, checked = pattern.wrong_along(axis)
        right = [i for i in checked if i not in wrong and analytic[i].any()]
        taken = {i: next((j for j in right if np.array_equal(analytic[i], analytic[j])), None) for i in wrong}
        if taken and None not in taken.values():
            said = ", ".join(f"{name} {i} holds what belongs to {name} {j}" for i, j in [*taken.items()][:4])
            return said + ", …" * (len(taken) > 4)
    return None


def same_along_an_axis(pattern: Pattern) -> str | None:
    """Backward gives one number along an axis where there are several."""
    for axis, name in enumerate(pattern.axes):
        varies = np.ptp(pattern.analytic, axis=axis).max() > 1e-12 * np.abs(pattern.analytic).max()
        if pattern.numeric.shape[axis] > 1 and not varies:
            return f"the same for every {name}: averaged, or one stands for all"
    return None
