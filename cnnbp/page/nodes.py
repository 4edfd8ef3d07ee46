"""What the page must know of each layer to write out where a number comes from."""

from dataclasses import asdict
from typing import Any

import numpy as np

from cnnbp.inspect.record import Record
from cnnbp.inspect.symbols import Symbols, slope
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.network import Node
from cnnbp.page.tensors import Tensor


def node_document(node: Node, symbols: Symbols) -> dict[str, Any]:
    """Return a node with the symbols of all that it reads and writes, its window and its options."""
    window = node.layer.window(node.input_shapes[0])
    document = {
        "name": node.name,
        "type": node.layer.type,
        "y": symbols.values[node.index],
        "inputs": [symbols.values[value] for value in node.inputs],
        "parameters": symbols.parameters[node.name],
        "window": asdict(window) if window else None,
        "options": node.layer.model_dump(exclude={"name"}),
    }
    if isinstance(node.layer, BatchNorm):
        document["statistics"] = statistics_symbols(node, symbols)
    return document


def statistics_symbols(node: Node, symbols: Symbols) -> dict[str, str]:
    """Name what batch norm measures, forward and backward: each is (C,)."""
    suffix = symbols.parameters[node.name]["gamma"].removeprefix("γ")
    dy = slope(symbols.values[node.index])
    return {
        "mean": f"μ{suffix}",
        "variance": f"σ²{suffix}",
        "dmean": f"mean {dy}",
        "dproduct": f"mean({dy} ⊙ x̂)",
    }


def statistics_tensors(node: Node, record: Record, symbols: Symbols) -> dict[str, Tensor]:
    """Return what batch norm measures of the batch, by symbol."""
    names, layer = statistics_symbols(node, symbols), node.layer
    assert isinstance(layer, BatchNorm)
    x, dy = record.tape.input(node), record.tape.gradients[node.index]
    axes = tuple(range(1, x.ndim))
    mean, variance = x.mean(axis=axes), x.var(axis=axes)
    channel = (-1, *(1,) * (x.ndim - 1))
    xhat = (x - mean.reshape(channel)) / np.sqrt(variance.reshape(channel) + layer.eps)
    arrays = {
        "mean": mean,
        "variance": variance,
        "dmean": dy.mean(axis=axes),
        "dproduct": (dy * xhat).mean(axis=axes),
    }
    return {names[name]: Tensor(array, batched=False) for name, array in arrays.items()}
