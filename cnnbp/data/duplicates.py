"""The same image in two sets: what a network learned by heart should not vouch for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Digests = NDArray[np.uint64]
Pairs = tuple[tuple[str, str], ...]  # of names


class Digested(Protocol):
    """Images by name, with a digest of each one's pixels."""

    @property
    def names(self) -> tuple[str, ...]:
        """(N,)"""

    @property
    def digests(self) -> Digests:
        """(N,)"""


@dataclass(frozen=True, eq=False)
class Several:
    """The images of several sets as one."""

    sets: Sequence[Digested]

    @property
    def names(self) -> tuple[str, ...]:
        """(N,)"""
        return tuple(chain.from_iterable(images.names for images in self.sets))

    @property
    def digests(self) -> Digests:
        """(N,)"""
        return np.concatenate([images.digests for images in self.sets])


def digest(pixels: NDArray[Any]) -> int:
    """Return 64 bits that two arrays share only when they are equal, shape included."""
    content = blake2b(repr(pixels.shape).encode(), digest_size=8)
    content.update(np.ascontiguousarray(pixels).data)
    return int.from_bytes(content.digest(), "little")


def find_duplicates(train: Digested, other: Digested) -> Pairs:
    """Return (name in train, name in other) for each image of `other` with the decoded pixels of one in `train`."""
    names, digests = train.names, train.digests  # once: they may be made anew each time
    other_names, other_digests = other.names, other.digests
    left = np.flatnonzero(shared(digests, other_digests))  # hardly any, of perhaps very many
    first = {int(digests[index]): names[index] for index in left[::-1]}
    twice = np.flatnonzero(shared(other_digests, digests[left]))
    return tuple((first[int(other_digests[index])], other_names[index]) for index in twice)


def find_copies(images: Digested, labels: NDArray[np.intp]) -> tuple[Pairs, Pairs]:
    """Return the pairs (first, other) of images with the same pixels: those of one class, and those of two."""
    names, (_, firsts, group) = images.names, np.unique(images.digests, return_index=True, return_inverse=True)
    first = firsts[group]  # (N,)
    copies = np.flatnonzero(first != np.arange(len(names)))
    of_two = labels[copies] != labels[first[copies]]
    within, across = (
        tuple((names[first[index]], names[index]) for index in copies[chosen]) for chosen in (~of_two, of_two)
    )
    return within, across


def shared(digests: Digests, others: Digests) -> NDArray[np.bool_]:
    """Tell which digests (N,) are among the others; np.isin would take twice the memory."""
    if not len(others):
        return np.zeros(len(digests), np.bool_)
    others = np.sort(others)
    return others.take(np.searchsorted(others, digests), mode="clip") == digests
