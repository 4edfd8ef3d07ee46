"""The choice of what does the work of which nodes: from the network, a micro-batch's images and the dtype alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnnbp.fast.batchnorm import BlockBatchNorm
from cnnbp.fast.conv import KernelConv2d
from cnnbp.fast.dense import TiledDense
from cnnbp.fast.kernels.convolve import kernel_for
from cnnbp.fast.max_pool import faster_pool
from cnnbp.fast.operation import Operation, Replacement
from cnnbp.fast.pooled_conv import PooledConv2d, pools_at_once
from cnnbp.fast.quartered_conv import QuarteredConv2d, fits_in_cache
from cnnbp.fast.relu import InPlaceReLU, WithReLU
from cnnbp.fast.strip_conv import StripConv2d, pools_in_strips, strips_of
from cnnbp.layers import Layer
from cnnbp.layers.activations import ReLU
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.dense import Dense
from cnnbp.layers.pooling import MaxPool2d
from cnnbp.network import INPUT, Network, Node

# A layer is replaced where it is of exactly the class that the replacement is the same as: a subclass may do otherwise.


@dataclass(frozen=True, eq=False)
class _ConvRun:
    """A convolution over micro-batches of M images, with the ReLUs and the pool after it that are done with it."""

    conv: Conv2d
    nodes: tuple[Node, ...]
    M: int
    S: int  # in how many strips it works; 0 if in another way

    @property
    def pools(self) -> bool:
        return any(type(node.layer) is MaxPool2d for node in self.nodes)

    @property
    def in_quarters(self) -> bool:
        first = self.nodes[0]
        return not self.S and self.pools and first.inputs == (INPUT,) and fits_in_cache(self.conv, self.shape, self.M)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.nodes[0].input_shapes[0]

    def may_give(self, S: int) -> bool:
        """Tell whether its output can be in S strips: one in quarters gives any number."""
        return bool(S) and (S == self.S or self.in_quarters)

    def operation(self, takes: int, gives: int) -> Operation:
        """Return it as an operation whose input and output are in so many strips."""
        layer = self._convolution(takes, gives)
        relu = any(type(node.layer) is ReLU for node in self.nodes)
        return Operation(self.nodes, WithReLU(layer) if relu else layer, layer.kernel, takes, gives)

    def _convolution(self, takes: int, gives: int) -> Replacement:
        if self.S:
            return StripConv2d(self.conv, self.shape, self.S, pools=self.pools, takes=bool(takes), gives=bool(gives))
        if self.in_quarters:
            return QuarteredConv2d(self.conv, self.shape, self.M, gives)
        if self.pools:
            return PooledConv2d(self.conv)
        kernel = kernel_for(self.conv.window(self.shape), self.conv.groups, (*self.nodes[0].output_shape, self.M))
        return KernelConv2d(self.conv, self.shape, self.M, kernel)


def operations_of(network: Network, M: int, dtype: "np.dtype[np.generic]") -> Sequence[Operation]:
    """Return what does a network's nodes, in order; feature maps stay in strips from one convolution to the next."""
    runs = list(_runs(network, M, dtype))
    givers = dict(_givers(network, runs))
    takes = {taker: taker.S for taker in givers}
    gives = {giver: taker.S for taker, giver in givers.items()}
    return [
        run.operation(takes.get(run, 0), gives.get(run, 0)) if isinstance(run, _ConvRun) else _operation(run, M)
        for run in runs
    ]


def _runs(network: Network, M: int, dtype: "np.dtype[np.generic]") -> Iterator[_ConvRun | tuple[Node, ...]]:
    """Cut a network into what is done at once."""
    start = 0
    while start < len(network.nodes):
        node = network.nodes[start]
        if type(node.layer) is Conv2d:
            run = _convolution_from(network, node, node.layer, M, dtype)
            yield run
            start += len(run.nodes)
        elif type(node.layer) is BatchNorm:
            relus = _relus_after(network, node)
            if relus and _pool_after(network, relus[-1]):
                relus.pop()  # better done after the pool
            yield node, *relus
            start += 1 + len(relus)
        elif _is_relu(node) and (pool := _pool_after(network, node)):
            yield node, pool
            start += 2
        else:
            yield (node,)
            start += 1


def _convolution_from(network: Network, node: Node, conv: Conv2d, M: int, dtype: "np.dtype[np.generic]") -> _ConvRun:
    """Return a convolution with all ReLUs after it and the first max pool, if that is done with it.

    If not, the ReLU before the pool is better done after that.
    """
    S = strips_of(conv, node.input_shapes[0], M, dtype)
    run = [node, *_relus_after(network, node)]
    if pool := _pool_after(network, run[-1]):
        if _pools(conv, pool.layer, node.input_shapes[0], M, S):
            run.append(pool)
            relus = _relus_after(network, pool)
            run += relus[:-1] if relus and _pool_after(network, relus[-1]) else relus
        elif len(run) > 1:
            run.pop()
    return _ConvRun(conv, tuple(run), M, S)


def _pools(conv: Conv2d, pool: Layer, input_shape: tuple[int, ...], M: int, S: int) -> bool:
    assert isinstance(pool, MaxPool2d)
    return pools_in_strips(conv, pool, input_shape, S) if S else pools_at_once(conv, pool, input_shape, M)


def _operation(nodes: tuple[Node, ...], M: int) -> Operation:
    """Return what does a node, a batch norm with the ReLUs after it, or a ReLU and a max pool in the opposite order."""
    norm, node = nodes[0].layer, nodes[-1]
    if type(norm) is BatchNorm:
        block = BlockBatchNorm(norm, relu=len(nodes) > 1)
        return Operation(nodes, block, block.kernel)
    layer = _replacement(node.layer, node.input_shapes[0])
    if layer is None:
        return Operation(nodes, node.layer)
    return Operation(nodes, WithReLU(layer) if len(nodes) > 1 else layer, layer.kernel)


def _replacement(layer: Layer, input_shape: tuple[int, ...]) -> Replacement | None:
    if type(layer) is Dense:
        return TiledDense()
    if type(layer) is MaxPool2d:
        return faster_pool(layer, input_shape)
    if type(layer) is ReLU:
        return InPlaceReLU()
    return None


def _givers(network: Network, runs: Sequence[_ConvRun | tuple[Node, ...]]) -> Iterator[tuple[_ConvRun, _ConvRun]]:
    """Yield each convolution that reads strips, and the one right before it that writes them."""
    convolutions = {run.nodes[-1].index: run for run in runs if isinstance(run, _ConvRun)}
    for run in convolutions.values():
        source = network.only_source(run.nodes[0])
        giver = convolutions.get(source.index) if source else None
        if giver and giver.may_give(run.S):
            yield run, giver


def _is_relu(node: Node) -> bool:
    return type(node.layer) is ReLU


def _reader(network: Network, node: Node) -> Node | None:
    """Return the node that alone reads this one's value, and nothing else; None where there is no such node."""
    readers = network.readers[node.index]
    return readers[0] if len(readers) == 1 and len(readers[0].inputs) == 1 else None


def _relus_after(network: Network, node: Node) -> list[Node]:
    relus = list[Node]()
    while (reader := _reader(network, relus[-1] if relus else node)) and _is_relu(reader):
        relus.append(reader)
    return relus


def _pool_after(network: Network, node: Node) -> Node | None:
    reader = _reader(network, node)
    return reader if reader and type(reader.layer) is MaxPool2d else None
