"""The plan of a network: which of its nodes are done at once, in which order, and by what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np

from cnnbp.fast.choice import operations_of
from cnnbp.fast.operation import Operation
from cnnbp.network import Network, Node

Planner = Callable[[Network, int, "np.dtype[np.generic]"], "Plan"]
Segment = tuple[Operation, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """Operations in order, which together are all nodes of a network, each once."""

    operations: tuple[Operation, ...]

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The operations, cut before each that couples images: every segment but the first begins with one."""
        coupled = [place for place, operation in enumerate(self.operations) if operation.is_coupled]
        return tuple(self.operations[start:end] for start, end in pairwise([0, *coupled, len(self.operations)]))

    @cached_property
    def reusable(self) -> frozenset[int]:
        """The values that their only reader may overwrite, because no backward needs them again."""
        read = [value for operation in self.operations for value in operation.inputs]
        reusable = set[int]()
        for operation in self.operations[:-1]:
            layer = operation.layer
            owned = not layer.output_is_view or operation.inputs[0] in reusable
            if owned and not layer.caches_output and read.count(operation.output) == 1:
                reusable.add(operation.output)
        return frozenset(reusable)

    def operation_of(self, node: Node) -> Operation:
        """Return the operation that a node is part of."""
        return next(each for each in self.operations if each.nodes[0].index <= node.index <= each.output)


def plan_for(network: Network, M: int, dtype: "np.dtype[np.generic]") -> Plan:
    """Return how micro-batches of M images are done fastest; made once."""
    return _made_once(network, (M, dtype), lambda: operations_of(network, M, dtype))


def as_written(network: Network, M: int = 0, dtype: "np.dtype[np.generic] | None" = None) -> Plan:
    """Return the plan that does each node on its own, by its own layer, whatever comes; made once."""
    return _made_once(network, None, lambda: [Operation((node,), node.layer) for node in network.nodes])


_made = WeakKeyDictionary[Network, dict[object, Plan]]()


def _made_once(network: Network, key: object, operations: Callable[[], Sequence[Operation]]) -> Plan:
    plans = _made.setdefault(network, {})
    if key not in plans:
        plans[key] = Plan(tuple(operations()))
    return plans[key]
