"""Which tensors are checked when not all are, and which layers belong to them."""

from collections.abc import Sequence

from cnnbp.errors import ConfigError
from cnnbp.names import did_you_mean
from cnnbp.network import INPUT, Network, Node

IMAGES = "X"  # what the input is called


def chosen_nodes(network: Network, tensors: Sequence[str]) -> list[Node]:
    """Return the nodes that own the tensors, or read them; all nodes if none is named.

    Raises ConfigError for a tensor that the network does not have.
    """
    owners = {f"{node.name}.{name}": [node] for node in network.nodes for name in node.parameter_specs}
    owners[IMAGES] = list(network.readers[INPUT])
    for tensor in tensors:
        if tensor not in owners:
            raise ConfigError(f'no tensor "{tensor}" in this network; {did_you_mean(tensor, list(owners))}')
    if not tensors:
        return list(network.nodes)
    chosen = {node.index for tensor in tensors for node in owners[tensor]}
    return [node for node in network.nodes if node.index in chosen]
