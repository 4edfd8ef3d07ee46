"""The same image in two sets: what a network learned by heart should not vouch for it."""

from hashlib import blake2b
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnnbp.data.split import Indices

Digests = NDArray[np.uint64]


class Digested(Protocol):
    """Images by name, with a digest of each one's pixels."""

    @property
    def names(self) -> tuple[str, ...]:
        """(N,)"""

    @property
    def digests(self) -> Digests:
        """(N,)"""


def digest(pixels: NDArray[Any]) -> int:
    """Return 64 bits that two arrays share only when they are equal, shape included."""
    content = blake2b(repr(pixels.shape).encode(), digest_size=8)
    content.update(np.ascontiguousarray(pixels).data)
    return int.from_bytes(content.digest(), "little")


def find_duplicates(
    train: Digested, other: Digested, train_indices: Indices | None = None, other_indices: Indices | None = None
) -> tuple[tuple[str, str], ...]:
    """Return (name in train, name in other) for each image of `other` with the decoded pixels of one in `train`.

    Indices narrow a set to some of its images: both sides of a validation split are in one set.
    """
    names, digests = train.names, train.digests  # once: they may be made anew each time
    other_names, other_digests = other.names, other.digests
    left = np.arange(len(names)) if train_indices is None else train_indices
    right = np.arange(len(other_names)) if other_indices is None else other_indices
    left = left[_shared(digests[left], other_digests[right])]  # hardly any, of perhaps very many
    first = {int(digests[index]): names[index] for index in left[::-1]}
    twice = right[_shared(other_digests[right], digests[left])]
    return tuple((first[int(other_digests[index])], other_names[index]) for index in twice)


def _shared(digests: Digests, others: Digests) -> NDArray[np.bool_]:
    """Tell which digests are among the others; np.isin would take twice the memory."""
    if not len(others):
        return np.zeros(len(digests), np.bool_)
    others = np.sort(others)
    return others.take(np.searchsorted(others, digests), mode="clip") == digests
