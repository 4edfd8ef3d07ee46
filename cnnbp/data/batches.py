"""An epoch's images in their order, as batches of micro-batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.arrays import Arena, Array
from cnnbp.data.augment import Augmentation, augment
from cnnbp.data.geometry import Pixels
from cnnbp.data.normalize import Normalization
from cnnbp.data.opening import muted_pillow
from cnnbp.data.parallel import map_ahead
from cnnbp.data.split import Indices
from cnnbp.data.store import ImageSet
from cnnbp.data.streams import Purpose, stream
from cnnbp.engine import MicroBatch
from cnnbp.engine.ranks import ALONE, Ranks, run_of


@dataclass(frozen=True, eq=False)
class Batch:
    """M images, cut into micro-batches; `indices` (M,) say which images of the set they are.

    `micro_batches` are those of this rank; `whole` gives all of them, read once more where other ranks have some.
    """

    indices: Indices
    micro_batches: tuple[MicroBatch, ...]
    whole: Callable[[], tuple[MicroBatch, ...]]


def steps_for(images: int, batch_size: int) -> int:
    """Return how many batches some images make, a single one that is left over joined to the batch before."""
    whole, left = divmod(images, batch_size)
    return whole + (left > 1 or (left == 1 and whole == 0))


def epoch_order(n: int, seed: int, epoch: int) -> Indices:
    """Return the order of `n` training images in one epoch."""
    return stream(seed, Purpose.ORDER, epoch).permutation(n)


def batches(
    images: ImageSet,
    order: Indices,
    batch_size: int,
    micro_batch_size: int,
    normalization: Normalization,
    dtype: DTypeLike,
    *,
    augmentations: Sequence[Augmentation] = (),
    seed: int = 0,
    epoch: int = 0,
    threads: int = 1,
    ranks: Ranks = ALONE,
) -> Iterator[Batch]:
    """Yield the images at `order` in batches of which the last may be smaller; each rank reads its run of each.

    A single image that is left over is joined to the batch before: its gradient would be noise, its variance 0.
    Images that are not in memory are read by `threads` background threads, a few batches ahead. Augmenting and
    normalising is left to whoever runs a micro-batch. Raises DataError for a file that changed or vanished.
    """

    def micro_batch(indices: Indices) -> MicroBatch:
        prepare = partial(_prepared, augmentations, normalization, np.dtype(dtype), seed, epoch, indices)
        return MicroBatch(images.take(indices), images.labels[indices], prepare)

    def batch(indices: Indices) -> Batch:
        cuts = list(_cuts(indices, micro_batch_size))
        run = run_of(len(cuts), ranks)
        mine = tuple(micro_batch(cut) for cut in cuts[run.start : run.stop])
        return Batch(indices, mine, lambda: mine if len(mine) == len(cuts) else tuple(map(micro_batch, cuts)))

    parts = _batches(order, batch_size)
    if images.in_memory:
        yield from map(batch, parts)
    else:
        with muted_pillow():
            yield from map_ahead(batch, parts, threads)


def _prepared(
    augmentations: Sequence[Augmentation],
    normalization: Normalization,
    dtype: np.dtype[Any],
    seed: int,
    epoch: int,
    indices: Indices,
    pixels: Pixels,
    arena: Arena,
) -> Array:
    """Return x (C, H, W, m) of the pixels (m, C, H, W) of the images at `indices`."""
    return normalization.apply(augment(pixels, augmentations, arena, seed=seed, epoch=epoch, indices=indices), dtype)


def _batches(order: Indices, size: int) -> Iterator[Indices]:
    steps = steps_for(len(order), size)
    return (order[step * size : None if step == steps - 1 else (step + 1) * size] for step in range(steps))


def _cuts(indices: Indices, size: int) -> Iterator[Indices]:
    return (indices[start : start + size] for start in range(0, len(indices), size))
