"""Setting images aside for validation."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cnnbp.data.streams import Purpose, stream

Indices = NDArray[np.intp]
Draw = Callable[[Indices, int], tuple[Indices, Indices]]  # labels and a seed → indices that train, that validate


def stratified_split(labels: Indices, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Split image indices into (training, validation), `fraction` of every class into the latter.

    Both are sorted. A class of two or more images gives at least one to each side (none to validation if `fraction`
    is 0); a single image stays in training. Which images go does not depend on the other classes.
    """
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        wanted = round(fraction * len(members))
        count = min(max(wanted, int(fraction > 0)), len(members) - 1)
        held_out[stream(seed, Purpose.SPLIT, int(label)).permutation(members)[:count]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def stratified_fold(labels: Indices, fold: tuple[int, int], seed: int) -> tuple[Indices, Indices]:
    """Split image indices into (training, validation), the k-th of K parts into the latter: `fold` is (k, K), k from 1.

    Both are sorted. The parts have no image in common, and are as equal as can be in each class and on the whole: a
    class is dealt out in a drawn order, each going on where the one before ended.
    """
    k, parts = fold
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    drawn = [stream(seed, Purpose.SPLIT, int(labels[members[0]])).permutation(members) for members in classes]
    dealt = np.concatenate(drawn) if drawn else np.zeros(0, np.intp)
    validation = np.sort(dealt[k - 1 :: parts])
    return np.setdiff1d(np.arange(len(labels)), validation), validation


def in_turn(labels: Indices) -> Indices:
    """Return the order in which the classes take turns, each with its images in their order."""
    turns = np.empty(len(labels), np.intp)  # the place of each image within its class
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turns[members] = np.arange(len(members))
    return np.argsort(turns, kind="stable")
