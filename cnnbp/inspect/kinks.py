"""Where a recorded batch meets the edges of piecewise layers: units that are off, and maxima that are tied."""

from dataclasses import dataclass
from math import inf

import numpy as np

from cnnbp.arrays import Array
from cnnbp.inspect.record import Record
from cnnbp.inspect.symbols import derive_symbols
from cnnbp.layers.activations import ReLU
from cnnbp.layers.pooling import MaxPool2d
from cnnbp.layers.windows import padded, places


@dataclass(frozen=True)
class DeadUnits:
    """How many outputs of a ReLU are 0 for every image of the batch, and how many channels are so everywhere.

    No gradient passes a dead unit: with this batch, nothing before it learns through it.
    """

    layer: str
    dead: int
    units: int
    dead_channels: int
    channels: int


@dataclass(frozen=True)
class TiedWindows:
    """How many windows of a max pool have their maximum in several places; the first of them gets the gradient.

    `at_zero` of them are tied at 0: behind a ReLU these are harmless, since it lets nothing through there.
    """

    layer: str
    tied: int
    windows: int
    at_zero: int


def dead_units(record: Record) -> list[DeadUnits]:
    """Count the dead units of every ReLU."""
    found = []
    for node in record.model.network.nodes:
        if isinstance(node.layer, ReLU):
            off = (record.tape.values[node.index] == 0).all(axis=-1)  # (C, H, W) or (features,)
            channels = off.reshape(len(off), -1).all(axis=1)
            found.append(DeadUnits(node.name, int(off.sum()), off.size, int(channels.sum()), len(channels)))
    return found


def winners(record: Record) -> dict[str, Array]:
    """Return for each tensor that a max pool reads where a window has its first maximum, (C, H, W, M), by symbol."""
    symbols = derive_symbols(record.model.network)
    found = {}
    for node in record.model.network.nodes:
        if isinstance(node.layer, MaxPool2d):
            _, context = record.tape.contexts(node)
            ones = np.ones_like(record.tape.values[node.index])
            routed, _ = node.layer.backward({}, record.tape.caches[node.index], ones, context)
            found[symbols.values[node.inputs[0]]] = routed > 0
    return found


def tied_windows(record: Record) -> list[TiedWindows]:
    """Count the tied windows of every max pool, over all images."""
    found = []
    for node in record.model.network.nodes:
        if isinstance(node.layer, MaxPool2d):
            x, y = record.tape.input(node), record.tape.values[node.index]
            window = node.layer.window(x.shape[:-1])
            hits = np.zeros(y.shape, int)
            for _, _, view in places(padded(x, window, fill=-inf), window, y.shape[1:3]):
                hits += view == y
            tied = hits > 1
            found.append(TiedWindows(node.name, int(tied.sum()), tied.size, int((tied & (y == 0)).sum())))
    return found
