"""The order in which a tape may do a network's work to be fast, where nobody asks for every single value."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.layers.activations import ReLU
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.pooling import MaxPool2d
from cnnbp.network import INPUT, Network, Node
from cnnbp.plan.pooled_conv import PooledConv2d, pools_at_once
from cnnbp.plan.quartered_conv import QuarteredConv2d, fits_in_cache
from cnnbp.plan.strip_conv import StripConv2d, pools_in_strips, strips_of

Planned = PooledConv2d | QuarteredConv2d | StripConv2d


@dataclass(frozen=True)
class Plan:
    """What is done otherwise than a network is written. A node that is done elsewhere hands on what it is given."""

    convolutions: dict[int, Planned]  # by index: what does a convolution's work, and its pool's
    late: dict[int, Node]  # by the index of a max pool: the ReLU before it, done behind it
    elsewhere: frozenset[int]  # the nodes that are done in another's place


AS_WRITTEN = Plan({}, {}, frozenset())

_made = WeakKeyDictionary[Network, dict[tuple[int, "np.dtype[np.generic]"], Plan]]()


def plan_for(network: Network, M: int, dtype: "np.dtype[np.generic]") -> Plan:
    """Return the plan for micro-batches of M images; made once."""
    plans = _made.setdefault(network, {})
    if (M, dtype) not in plans:
        plans[M, dtype] = _plan(network, M, dtype)
    return plans[M, dtype]


def _plan(network: Network, M: int, dtype: DTypeLike) -> Plan:
    """Let each max pool join its convolution, or else let the ReLU before it wait until it is done.

    max(0, ·) keeps order, so a ReLU may change places with a maximum, on fewer numbers. Its gradient is 0 wherever a
    tie could be new.
    """
    in_strips = {node.index: S for node in network.nodes if (S := _strips_of(node, M, dtype))}
    pooled: dict[int, Node] = {}  # by the index of a convolution: the pool that is done with it
    late: dict[int, Node] = {}
    for pool in network.nodes:
        if type(pool.layer) is not MaxPool2d:
            continue
        before = network.only_source(pool)
        relu = before if before and type(before.layer) is ReLU else None
        conv = network.only_source(relu) if relu else before
        if conv and type(conv.layer) is Conv2d and _joins(pool.layer, conv, conv.layer, M, in_strips):
            pooled[conv.index] = pool
        elif relu:
            late[pool.index] = relu
    elsewhere = frozenset(node.index for node in (*pooled.values(), *late.values()))
    return Plan(_convolutions(network, M, in_strips, pooled), late, elsewhere)


def _strips_of(node: Node, M: int, dtype: DTypeLike) -> int:
    return strips_of(node.layer, node.input_shapes[0], M, dtype) if type(node.layer) is Conv2d else 0


def _joins(pool: MaxPool2d, node: Node, conv: Conv2d, M: int, in_strips: Mapping[int, int]) -> bool:
    if S := in_strips.get(node.index):
        return pools_in_strips(conv, pool, node.input_shapes[0], S)
    return pools_at_once(conv, pool, node.input_shapes[0], M)


def _convolutions(
    network: Network, M: int, in_strips: Mapping[int, int], pooled: Mapping[int, Node]
) -> dict[int, Planned]:
    """Return what does the convolutions' work; between two in as many strips the feature maps stay in them."""
    quartered = {index for index in pooled if index not in in_strips and _in_quarters(network.nodes[index], M)}
    givers = _givers(network, in_strips, {pool.index for pool in pooled.values()}, quartered)
    given = {source: in_strips[index] for index, source in givers.items()}
    made: dict[int, Planned] = {}
    for index, node in enumerate(network.nodes):
        shape, pools = node.input_shapes[0], index in pooled
        if type(node.layer) is Conv2d and (S := in_strips.get(index)):
            takes, gives = index in givers, index in given
            made[index] = StripConv2d(node.layer, shape, S, pools=pools, takes=takes, gives=gives)
        elif type(node.layer) is Conv2d and index in quartered:
            made[index] = QuarteredConv2d(node.layer, shape, M, given.get(index, 0))
        elif type(node.layer) is Conv2d and pools:
            made[index] = PooledConv2d(node.layer)
    return made


def _in_quarters(node: Node, M: int) -> bool:
    if type(node.layer) is not Conv2d or node.inputs != (INPUT,):
        return False
    return fits_in_cache(node.layer, node.input_shapes[0], M)


def _givers(network: Network, in_strips: Mapping[int, int], pools: Set[int], quartered: Set[int]) -> dict[int, int]:
    """Return by convolution the one before it whose output it reads in strips: one in quarters gives any number."""
    sources = {index: _convolution_before(network, network.nodes[index], pools) for index in in_strips}
    return {index: at for index, at in sources.items() if at in quartered or in_strips.get(at) == in_strips[index]}


def _convolution_before(network: Network, node: Node, pools: Set[int]) -> int:
    """Return which node's output a convolution reads, through ReLUs and through pools that are done elsewhere."""
    source = network.only_source(node)
    while source and (type(source.layer) is ReLU or source.index in pools):
        source = network.only_source(source)
    return source.index if source else INPUT
