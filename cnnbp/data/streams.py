"""Random numbers of the data floor, keyed so that no draw depends on another.

A stream is named by (seed, purpose, keys). Equal names give equal numbers on every machine, in any order of asking.
"""

from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)


class Purpose(IntEnum):
    """What a stream is for: equal keys with different purposes are unrelated."""

    SPLIT = 1
    ORDER = 2
    AUGMENT = 3


def stream(seed: int, purpose: Purpose, *keys: int) -> "np.random.Generator":  # not loaded before it is used
    """Return the generator of one purpose; `seed` and `keys` are non-negative."""
    return np.random.default_rng([seed, purpose, *keys])


def image_uniforms(seed: int, epoch: int, step: int, indices: NDArray[np.intp], draws: int) -> NDArray[np.float64]:
    """Draw numbers in [0, 1) for augmentation `step` of each image: (m, draws), a row depends on its own index only.

    Counter-based (SplitMix64: Steele, Lea & Flood 2014), because a generator per image costs more than the image.
    """
    images = _mix(_key(seed, epoch, step) + indices.astype(np.uint64) * _GAMMA)  # (m,)
    counters = np.arange(1, draws + 1, dtype=np.uint64) * _GAMMA
    bits = _mix(images[:, None] + counters)  # (m, draws)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


@lru_cache(maxsize=16)  # every micro-batch of an epoch asks for the same ones
def _key(seed: int, epoch: int, step: int) -> np.uint64:
    return np.uint64(np.random.SeedSequence([seed, Purpose.AUGMENT, epoch, step]).generate_state(1, np.uint64)[0])


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
