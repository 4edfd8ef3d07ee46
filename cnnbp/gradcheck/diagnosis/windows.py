"""Where a convolution or a pool sends the gradient of one output at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.diagnosis.trial import Experiment, Trial, Wrong
from cnnbp.layers.base import Window
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.pooling import MaxPool2d

Places = dict[tuple[int, int], Array]  # for each output place, what it sends to x, or where: (C, H, W, M), (H, W)

MOST_OUTPUTS = 64  # one backward for each: more would take long, and tell no more


def _window(trial: Trial) -> Window | None:
    return trial.layer.window(trial.xs[0].shape[:-1])


def _sent(trial: Trial) -> Places:
    """Run backward for one output place at a time."""
    sent, (height, width) = {}, trial.dy.shape[1:3]
    for i, j in np.ndindex(height, width):
        dy = np.zeros_like(trial.dy)
        dy[:, i, j] = trial.dy[:, i, j]
        sent[i, j] = trial.gradients(dy)["dx"]
    return sent


def _applies(trial: Trial, wrong: Wrong) -> bool:
    return "dx" in wrong and _window(trial) is not None and trial.dy[0, :, :, 0].size <= MOST_OUTPUTS


def sends_elsewhere(trial: Trial, wrong: Wrong) -> str | None:
    """Outputs whose gradient arrives nowhere, or not where their window is; for layers that reach all of a window."""
    window = _window(trial)
    if not _applies(trial, wrong) or window is None or isinstance(trial.layer, MaxPool2d):
        return None
    reached = {place: np.any(dx, axis=(0, 3)) for place, dx in _sent(trial).items()}
    shape = trial.xs[0].shape[1:3]
    expected = {place: _covered(window, place, shape) for place in reached}
    if _all_equal(reached, expected):
        return None
    for other, said in _misread(window):
        if _all_equal(reached, {place: _covered(other, place, shape) for place in reached}):
            return f"dx lands where {said}"
    if lost := _silent_outputs(reached, expected) or _untouched_places(reached, expected):
        return lost
    if all((reached[place] <= expected[place]).all() for place in reached):
        return "in dx one window's share overwrites another's: where windows overlap they must add up"
    return "dx lands outside the window that it comes from"


def _silent_outputs(reached: Places, expected: Places) -> str | None:
    """Say which rows or columns of outputs send nothing back, if that is all that is lost."""
    silent = [place for place in reached if expected[place].any() and not reached[place].any()]
    height, width = (max(place[axis] for place in reached) + 1 for axis in (0, 1))
    for axis, name, others in ((0, "row", width), (1, "column", height)):
        lost = sorted({place[axis] for place in silent})
        if lost and len(silent) == len(lost) * others:
            return f"outputs in {name} {_listed(lost)} send nothing back to x: a loop that ends too early"
    return None


def _untouched_places(reached: Places, expected: Places) -> str | None:
    """Say which rows or columns of dx stay 0, if that is all that is lost."""
    due = np.any(list(expected.values()), axis=0)
    lost = due & ~np.any(list(reached.values()), axis=0)
    if not lost.any() or not _all_equal(reached, {place: covered & ~lost for place, covered in expected.items()}):
        return None
    for axis, name in enumerate(("row", "column")):
        places = np.flatnonzero(lost.any(axis=1 - axis))
        if lost.sum() == len(places) * due.any(axis=axis).sum():
            return f"dx stays 0 in {name} {_listed(places)}: what windows send there is cropped off, or never added"
    return None


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _covered(window: Window, place: tuple[int, int], shape: tuple[int, int]) -> Array:
    """Return which places of x a window sees, (H, W)."""
    covered = np.zeros(shape, bool)
    sides = [
        np.arange(k) * d + at * s - before
        for at, k, s, d, (before, _) in zip(
            place, window.kernel, window.stride, window.dilation, window.pad, strict=True
        )
    ]
    rows, columns = (side[(side >= 0) & (side < n)] for side, n in zip(sides, shape, strict=True))
    covered[np.ix_(rows, columns)] = True
    return covered


def _misread(window: Window) -> Iterator[tuple[Window, str]]:
    yield replace(window, stride=(1, 1)), "stride 1 would put it: the stride is ignored"
    yield replace(window, dilation=(1, 1)), "dilation 1 would put it: the dilation is ignored"
    (top, bottom), (left, right) = window.pad
    for down, across in ((1, 1), (1, 0), (0, 1), (-1, -1), (-1, 0), (0, -1)):
        pads = (max(top - down, 0), bottom), (max(left - across, 0), right)
        if pads != window.pad:
            yield replace(window, pad=pads), "cropping one row or column too few or too many would put it: the padding"
    yield replace(window, pad=((0, 0), (0, 0))), "no padding would put it: the padding is not cropped off"


def _all_equal(left: Places, right: Places) -> bool:
    return all(np.array_equal(left[place], right[place]) for place in left)


def mixes_groups(trial: Trial, wrong: Wrong) -> str | None:
    """Outputs whose gradient arrives in the channels of another group."""
    if "dx" not in wrong or not isinstance(trial.layer, Conv2d) or trial.layer.groups == 1:
        return None
    groups = trial.layer.groups
    for group in range(groups):
        dy = np.zeros_like(trial.dy)
        own = np.split(np.arange(len(dy)), groups)[group]
        dy[own] = trial.dy[own]
        reached = np.flatnonzero(trial.gradients(dy)["dx"].any(axis=(1, 2, 3))) // (len(trial.xs[0]) // groups)
        if set(reached.tolist()) != {group}:
            there = ", ".join(map(str, sorted(set(reached.tolist())))) or "none"
            return f"outputs of group {group} send their dx to the channels of group {there}"
    return None


def misses_the_maximum(trial: Trial, wrong: Wrong) -> str | None:
    """A max pool whose windows send their gradient to several places, or not to their first maximum."""
    window = _window(trial)
    if not _applies(trial, wrong) or window is None or not isinstance(trial.layer, MaxPool2d):
        return None
    x, (y, _) = trial.xs[0], trial.forward()
    several = False
    for (i, j), dx in _sent(trial).items():
        got = dx != 0
        if (got & (x != y[:, i, j][:, None, None])).any():
            return _not_the_maximum(got)
        several |= bool((got.sum(axis=(1, 2)) > 1).any())
    if several:
        return "a window with tied maxima sends dx to each of them: it belongs to the first alone"
    if (wrong["dx"].wrong & ~wrong["dx"].kink).any():
        return None
    return "of tied maxima another one than the first gets dx"


def _not_the_maximum(got: Array) -> str:
    if (got.sum(axis=(1, 2)) > 1).any():
        return "a window sends dx to several places: it belongs to the maximum alone"
    return "dx goes to a place that is not the maximum: the argmax is read as (column, row), or off by some"


WINDOW_EXPERIMENTS: Sequence[Experiment] = (sends_elsewhere, mixes_groups, misses_the_maximum)
