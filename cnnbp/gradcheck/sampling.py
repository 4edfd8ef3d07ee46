"""Which entries of a tensor are checked when there are more than the budget allows."""

from itertools import product

import numpy as np

from cnnbp.arrays import Array, Shape


def sample(shape: Shape, budget: int, seed: int) -> Array:
    """Return flat indices, sorted: all entries if the budget allows, else corners, then every channel, then any.

    Each index of each axis is met as often as the next, as far as the budget goes; corners take half of it at most.
    """
    size = int(np.prod(shape))
    if size <= budget:
        return np.arange(size)
    rng = np.random.default_rng([seed, size])
    corners = rng.permutation(
        np.unique(np.ravel_multi_index(tuple(np.array(list(product(*((0, n - 1) for n in shape)))).T), shape))
    )[: -(-budget // 2)]
    strata = [_shuffled_rounds(n, size=2 * budget, rng=rng) for n in shape]
    candidates = np.concatenate(
        [corners, np.ravel_multi_index(tuple(strata), shape), rng.choice(size, 2 * budget, replace=2 * budget > size)]
    )
    _, first = np.unique(candidates, return_index=True)
    return np.sort(candidates[np.sort(first)][:budget])


def _shuffled_rounds(n: int, size: int, rng: np.random.Generator) -> Array:
    """Return `size` numbers: 0…n−1 in random order, again and again."""
    rounds = [rng.permutation(n) for _ in range(-(-size // n))]
    return np.concatenate(rounds)[:size]
