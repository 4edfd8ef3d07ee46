"""How processes share a batch, and the one that is alone.

There is one kind of sharing. Each process has a contiguous run of a batch's micro-batches, in the order of their ranks,
and runs the same step; what they need of each other is `Sharing`: rows gathered, vectors combined. A process on its own
(`Alone`), a forked team (`team.py`) and MPI (`mpi.py`) do it each in its way, to the same bits. Processes that were
started together share a whole training, for which `Ranks` adds some calls. All of them make every call, in one order.
"""

from collections.abc import Callable, Hashable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Protocol

import numpy as np

from cnnbp.arrays import Array
from cnnbp.engine.machine import available_cores
from cnnbp.errors import DataError

Combine = Callable[[Sequence[Array]], Array]  # may work in place, and return one of the arrays


class Sharing(Protocol):
    """What a step needs of the processes that share its batch; this is number `rank` of `size`, counted from 0."""

    rank: int
    size: int

    def gather(self, mine: Array, counts: Sequence[int]) -> Array:
        """Return every rank's rows, below each other; rank r has counts[r] of them.

        A rank without any gives an empty array of the same dtype.
        """

    def gather_results(self, mine: Array, counts: Sequence[int]) -> Array:
        """Return every rank's rows as `gather` does, to the ranks that use what the batch gives; to others anything."""

    def combine(self, mine: Sequence[Array], counts: Sequence[int], combine: Combine, out: Array) -> None:
        """Write into `out` (N,) what `combine` makes of all ranks' vectors (N,), of which rank r has counts[r].

        Each number of the result must follow from the same places of the vectors: they may be combined in slices.
        `out` may be one of `mine`.
        """


class Ranks(Sharing, Hashable, Protocol):
    """Processes that were started together, on one host or several."""

    host: str

    @property
    def cores(self) -> int:
        """How many of its host's cores this process may use."""

    def broadcast(self, content: bytes) -> bytes:
        """Return what rank 0 gave."""

    def any(self, flag: bool) -> bool:
        """Tell whether one of the ranks said yes."""

    def meet(self, seconds: float | None) -> bool:
        """Wait until all ranks are here; False where that takes longer. Apart from all other calls."""

    def abort(self, code: int) -> None:
        """End all ranks at once."""


class Alone:
    """One process, which has everything already."""

    rank = 0
    size = 1
    host = ""

    @property
    def cores(self) -> int:
        """All that this process may use."""
        return available_cores()

    def gather(self, mine: Array, counts: Sequence[int]) -> Array:
        """Return what was given."""
        return mine

    def gather_results(self, mine: Array, counts: Sequence[int]) -> Array:
        """Return what was given."""
        return mine

    def combine(self, mine: Sequence[Array], counts: Sequence[int], combine: Combine, out: Array) -> None:
        """Combine what was given."""
        combine_into(out, mine, combine)

    def broadcast(self, content: bytes) -> bytes:
        """Return what was given."""
        return content

    def any(self, flag: bool) -> bool:
        """Return what was given."""
        return flag

    def meet(self, seconds: float | None) -> bool:
        """Return at once: there are no others."""
        return True

    def abort(self, code: int) -> None:
        """Do nothing: there are no others to end."""


ALONE = Alone()


def combine_into(out: Array, vectors: Sequence[Array], combine: Combine) -> None:
    """Write into `out` what `combine`, which may work in place, makes of vectors."""
    combined = combine(vectors)
    if combined is not out:
        out[...] = combined


def runs(count: int, size: int) -> list[range]:
    """Divide `count` things among `size` ranks: the first always has one, and any two differ by one at most."""
    edges = [-(-count * rank // size) for rank in range(size + 1)]
    return [range(start, end) for start, end in pairwise(edges)]


def run_of(count: int, ranks: Ranks) -> range:
    """Return which of `count` things are this rank's."""
    return runs(count, ranks.size)[ranks.rank]


def gather_texts(text: str, ranks: Ranks) -> list[str]:
    """Return every rank's text, in the order of the ranks."""
    mine = np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8)
    lengths = ranks.gather(np.array([len(mine)]), [1] * ranks.size).tolist()
    whole = ranks.gather(mine, lengths).tobytes()
    ends = np.cumsum(lengths)
    return [
        whole[end - length : end].decode("utf-8", "surrogateescape") for end, length in zip(ends, lengths, strict=True)
    ]


def require_same(what: str, content: str | memoryview, ranks: Ranks) -> None:
    """Raise DataError, on all ranks, where one of them has other content than rank 0."""
    if ranks.size == 1:
        return
    raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    answers = gather_texts(f"{blake2b(raw, digest_size=16).hexdigest()} {ranks.host}", ranks)
    found = [tuple(answer.split(" ", 1)) for answer in answers]
    for rank, (digest, host) in enumerate(found):
        if digest != found[0][0]:
            raise DataError(f"rank {rank} on {host} has other {what} than rank 0 on {found[0][1]}")
