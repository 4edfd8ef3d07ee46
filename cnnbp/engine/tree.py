"""Sums in the order of a fixed binary tree: the same bits however many threads and processes took part.

A node is (level, place): the sum of the leaves from place·2^level on, 2^level of them or what there is. Its children
are (level − 1, 2·place) and (level − 1, 2·place + 1); one without a neighbour is passed up as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from threading import Lock
from typing import TypeVar

import numpy as np

from cnnbp.arrays import Array
from cnnbp.engine.free_list import FreeList
from cnnbp.engine.ranks import Sharing
from cnnbp.parameters import Parameters

Leaf = TypeVar("Leaf")
TreeNode = tuple[int, int]


def tree_sum(leaves: Sequence[Leaf], add: Callable[[Leaf, Leaf], Leaf]) -> Leaf:
    """Add neighbours until one is left: ((0+1)+(2+3))+4, always in this order."""
    return node_sum(root(len(leaves)), {(0, place): leaf for place, leaf in enumerate(leaves)}, len(leaves), add)


def root(count: int) -> TreeNode:
    """Return the node that is the sum of all leaves."""
    return max(count - 1, 0).bit_length(), 0


def node_sum(node: TreeNode, known: Mapping[TreeNode, Leaf], count: int, add: Callable[[Leaf, Leaf], Leaf]) -> Leaf:
    """Return a node of the tree over `count` leaves, given enough of the nodes below it."""
    if node in known:
        return known[node]
    level, place = node[0] - 1, 2 * node[1]
    left = node_sum((level, place), known, count, add)
    return add(left, node_sum((level, place + 1), known, count, add)) if (place + 1) << level < count else left


def largest_nodes(start: int, end: int, count: int) -> list[TreeNode]:
    """Return from left to right the fewest nodes, and the highest of equals, that make up the leaves start … end."""
    nodes, top = [], root(count)[0]
    while start < end:
        level = next(
            level
            for level in range(top, -1, -1)
            if start % (1 << level) == 0 and min(start + (1 << level), count) <= end
        )
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


@dataclass(frozen=True)
class Division:
    """How the processes have divided a batch: how many micro-batches, and images, each of them has."""

    sharing: Sharing
    leaves: tuple[int, ...]
    images: tuple[int, ...]

    @staticmethod
    def of(sharing: Sharing, leaves: int, images: int) -> "Division":
        """Ask every process what it has."""
        if sharing.size == 1:
            return Division(sharing, (leaves,), (images,))
        table = sharing.gather(np.array([[leaves, images]]), [1] * sharing.size)
        return Division(sharing, *map(tuple, table.T.tolist()))

    @property
    def count(self) -> int:
        """The micro-batches of the batch."""
        return sum(self.leaves)

    @property
    def size(self) -> int:
        """The images of the batch, M."""
        return sum(self.images)

    @property
    def first(self) -> int:
        """Which of the batch's micro-batches this process's first one is."""
        return sum(self.leaves[: self.sharing.rank])

    @property
    def nodes(self) -> list[list[TreeNode]]:
        """The nodes that each process can sum up on its own."""
        return _nodes_of(self.leaves)

    @property
    def mine(self) -> list[TreeNode]:
        """The nodes that this process sums up."""
        return self.nodes[self.sharing.rank]

    @property
    def counts(self) -> list[int]:
        """How many nodes each process sums up."""
        return [len(nodes) for nodes in self.nodes]

    def total(self, values: Sequence[Leaf], add: Callable[[Leaf, Leaf], Leaf]) -> Leaf:
        """Return the sum of the whole batch from all processes' nodes."""
        nodes = (node for nodes in self.nodes for node in nodes)
        return node_sum(root(self.count), dict(zip(nodes, values, strict=True)), self.count, add)

    def sum(self, shares: Sequence[Array], add: Callable[[Array, Array], Array]) -> Array:
        """Return the sum over all micro-batches, given this process's shares."""
        leaves = {(0, self.first + place): share for place, share in enumerate(shares)}
        sums = np.array([node_sum(node, leaves, self.count, add) for node in self.mine])
        return self.total(list(self.sharing.gather(sums, self.counts)), add)


@lru_cache(maxsize=8)
def _nodes_of(leaves: tuple[int, ...]) -> list[list[TreeNode]]:
    """Return the nodes of each process's run of leaves; nearly all steps are divided alike."""
    edges = pairwise(accumulate(leaves, initial=0))
    return [largest_nodes(start, end, sum(leaves)) for start, end in edges]


class GradientSum:
    """The tree over gradients that come in any order, from any thread, and at last from the other processes.

    The thread that brings the second of two neighbours adds them, while both are in its cache, and goes on upwards.
    """

    def __init__(self, division: Division, free: FreeList) -> None:
        self._division, self._free = division, free
        self._ends = set(division.mine)
        self._waiting: dict[TreeNode, Parameters] = {}  # that wait for their neighbours, or for other processes
        self._lock = Lock()

    def add(self, place: int, gradient: Parameters) -> None:
        """Take the gradient of one micro-batch; its memory is the sum's from now on."""
        level, count = 0, self._division.count
        while (level, place) not in self._ends:
            neighbour = place ^ 1
            if neighbour < count:
                with self._lock:
                    other = self._waiting.pop((level, neighbour), None)
                    if other is None:
                        self._waiting[level, place] = gradient
                        return
                gradient.vector += other.vector  # a + b = b + a to the bit
                self._free.return_gradient(other)
            level, place, count = level + 1, place // 2, -(-count // 2)
        self._waiting[level, place] = gradient

    def total(self, like: Parameters) -> Parameters:
        """Return the sum over all processes, once this one's micro-batches are all added."""
        sums = [self._waiting[node] for node in self._division.mine]
        total = sums[0] if sums else self._free.take_gradient(like)
        vectors = [gradient.vector for gradient in sums]
        self._division.sharing.combine(vectors, self._division.counts, self._combine, total.vector)
        for gradient in sums[1:]:
            self._free.return_gradient(gradient)
        return total

    def _combine(self, vectors: Sequence[Array]) -> Array:
        return self._division.total(vectors, _add_to_left)


def _add_to_left(left: Array, right: Array) -> Array:
    left += right
    return left
