"""Sums in the order of a fixed binary tree: the same bits however many threads took part, and whoever came first."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TypeVar

from cnnbp.engine.memory import Memory
from cnnbp.parameters import Parameters

Leaf = TypeVar("Leaf")


def tree_sum(leaves: Sequence[Leaf], add: Callable[[Leaf, Leaf], Leaf]) -> Leaf:
    """Add neighbours until one is left: ((0+1)+(2+3))+4, always in this order."""
    while len(leaves) > 1:
        pairs = [add(left, right) for left, right in zip(leaves[::2], leaves[1::2], strict=False)]
        leaves = [*pairs, *leaves[2 * len(pairs) :]]
    return leaves[0]


class GradientSum:
    """The tree of `tree_sum` over gradients that come in any order, from any thread.

    Whoever brings the second of two neighbours adds them, while both are in its cache, and goes on upwards.
    """

    def __init__(self, count: int, memory: Memory) -> None:
        self._count, self._memory = count, memory
        self._waiting: dict[tuple[int, int], Parameters] = {}  # (level, place) → sum that waits for its neighbour
        self._lock = Lock()

    def add(self, place: int, gradient: Parameters) -> None:
        """Take the gradient of one micro-batch; its memory is the sum's from now on."""
        level, count = 0, self._count
        while count > 1:
            neighbour = place ^ 1
            if neighbour < count:
                with self._lock:
                    other = self._waiting.pop((level, neighbour), None)
                    if other is None:
                        self._waiting[level, place] = gradient
                        return
                gradient.vector += other.vector  # a + b = b + a to the bit
                self._memory.return_gradient(other)
            level, place, count = level + 1, place // 2, -(-count // 2)
        self.total = gradient
