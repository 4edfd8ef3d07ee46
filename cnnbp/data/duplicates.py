"""The same image in two sets: what a network learned by heart should not vouch for it."""

import numpy as np

from cnnbp.data.split import Indices
from cnnbp.data.store import ImageSet


def find_duplicates(
    train: ImageSet, other: ImageSet, train_indices: Indices | None = None, other_indices: Indices | None = None
) -> tuple[tuple[str, str], ...]:
    """Return (name in train, name in other) for each image of `other` with the decoded pixels of one in `train`.

    Indices narrow a set to some of its images: both sides of a validation split are in one set.
    """
    left = np.arange(len(train)) if train_indices is None else train_indices
    right = np.arange(len(other)) if other_indices is None else other_indices
    first = {int(train.digests[index]): train.names[index] for index in left[::-1]}
    digests = ((int(other.digests[index]), other.names[index]) for index in right)
    return tuple((first[digest], name) for digest, name in digests if digest in first)
