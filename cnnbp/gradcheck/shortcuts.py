"""How the output of a linear layer changes with one entry of its parameters: exactly, in one channel, by no product.

W is shifted by h in one place → that filter's output changes by h times what this place of the filter sees.
"""

from collections.abc import Callable

import numpy as np

from cnnbp.arrays import Array
from cnnbp.layers import Context
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.dense import Dense
from cnnbp.layers.windows import padded, places
from cnnbp.network import Node

Seen = Callable[[int], tuple[int, Array]]  # entry → the channel of y that changes, and ∂y/∂θ there


def shortcut(node: Node, tensor: str, x: Array) -> Seen | None:
    """Return how y follows the entries of a tensor, given the node's input; None where only a plain forward knows."""
    if isinstance(node.layer, Dense | Conv2d) and tensor == "b":
        return lambda entry: (entry, np.ones(1))
    if isinstance(node.layer, BatchNorm):
        return _normalised(node.layer, tensor, x)
    if isinstance(node.layer, Dense):
        return lambda entry: (entry // len(x), x[entry % len(x)])
    if isinstance(node.layer, Conv2d):
        return _kernel_places(node, node.layer, x)
    return None


def _normalised(layer: BatchNorm, tensor: str, x: Array) -> Seen:
    if tensor == "beta":
        return lambda entry: (entry, np.ones(1))
    C = len(x)
    xhat, _ = layer.forward({"gamma": np.ones(C), "beta": np.zeros(C)}, x, Context(training=True))
    return lambda entry: (entry, xhat[entry])


def _kernel_places(node: Node, layer: Conv2d, x: Array) -> Seen:
    window, (_, height, width) = layer.window(x.shape[:-1]), node.output_shape
    xp = padded(x, window)
    views = [view for _, _, view in places(xp, window, (height, width))]  # each (C, OH, OW, M)
    shape = (layer.filters, len(x) // layer.groups, len(views))

    def seen(entry: int) -> tuple[int, Array]:
        f, c, place = (int(i) for i in np.unravel_index(entry, shape))
        group = f // (layer.filters // layer.groups)
        return f, views[place][group * shape[1] + c]

    return seen
