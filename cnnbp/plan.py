"""The order in which a tape may do a network's work to be fast, where nobody asks for every single value."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from cnnbp.layers.activations import ReLU
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.pooled_conv import PooledConv2d, pools_at_once
from cnnbp.layers.pooling import MaxPool2d
from cnnbp.network import Network, Node


@dataclass(frozen=True)
class Plan:
    """Which nodes leave their place. A node that is done elsewhere hands on what it is given."""

    pooled: dict[int, PooledConv2d]  # by the index of a convolution: it and the max pool behind it, done at once
    late: dict[int, Node]  # by the index of a max pool: the ReLU before it, done behind it
    elsewhere: frozenset[int]  # the nodes that are done in another's place


AS_WRITTEN = Plan({}, {}, frozenset())

_made = WeakKeyDictionary[Network, dict[int, Plan]]()


def plan_for(network: Network, M: int) -> Plan:
    """Return the plan for micro-batches of M images; made once."""
    plans = _made.setdefault(network, {})
    if M not in plans:
        plans[M] = _plan(network, M)
    return plans[M]


def _plan(network: Network, M: int) -> Plan:
    """Let each max pool join its convolution, or else let the ReLU before it wait until it is done.

    max(0, ·) keeps order, so a ReLU may change places with a maximum, on fewer numbers. Its gradient is 0 wherever a
    tie could be new.
    """
    pooled: dict[int, PooledConv2d] = {}
    late: dict[int, Node] = {}
    elsewhere: set[int] = set()
    for pool in network.nodes:
        if type(pool.layer) is not MaxPool2d:
            continue
        before = network.only_source(pool)
        relu = before if before and type(before.layer) is ReLU else None
        conv = network.only_source(relu) if relu else before
        if conv and type(conv.layer) is Conv2d and pools_at_once(conv.layer, pool.layer, conv.input_shapes[0], M):
            pooled[conv.index] = PooledConv2d(conv.layer)
            elsewhere.add(pool.index)
        elif relu:
            late[pool.index] = relu
            elsewhere.add(relu.index)
    return Plan(pooled, late, frozenset(elsewhere))
