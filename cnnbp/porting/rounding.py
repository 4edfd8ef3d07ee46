"""How much of each tensor is rounding, measured: the pass once more, with every number on the way a little off.

As for the gradient check (`gradcheck/rounding.py`), but for every value and ∂L/∂value, and in one number for a tensor.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.heads import LossHead
from cnnbp.gradcheck.replay import replay
from cnnbp.gradcheck.rounding import DISTURBANCE
from cnnbp.inspect.record import Record
from cnnbp.layers import PiecewiseLayer
from cnnbp.layers.dropout import Dropout
from cnnbp.network import INPUT, Node
from cnnbp.porting.tensors import Pass, computed_tensors

_SAMPLES = 8


def rounding_scales(record: Record) -> dict[str, float]:
    """Return for every computed tensor how far an entry moves, at most, per relative change of each number on the way.

    Multiplied with a format's unit roundoff it is the size of one rounding; 0.5 of a sum whose terms are 0.5.
    """
    network, computation = record.model.network, _computation(record)
    caches, rng = dict(enumerate(record.tape.caches)), np.random.default_rng(0)

    def disturb(array: Array) -> Array:
        return array * (1 + DISTURBANCE * rng.uniform(-1, 1, array.shape))

    def disturbed() -> Pass:
        found = replay(computation, caches, disturb)
        losses, _ = record.model.loss.forward(disturb(found.outputs[computation.output]), record.labels)
        return Pass(found.outputs, found.values, found.parameters, losses)

    passes = [computed_tensors(network, disturbed()) for _ in range(_SAMPLES)]
    samples = [{tensor.name: tensor.array for tensor in each} for each in passes]
    return {name: _largest([sample[name] for sample in samples]) for name in samples[0]}


def _largest(samples: list[Array]) -> float:
    """Return the largest spread of an entry; a number is at least rounded itself."""
    spread = np.std(samples, axis=0, ddof=1).max(initial=0) / DISTURBANCE
    return float(max(spread, np.abs(samples[0]).max(initial=0)))


def _computation(record: Record) -> Computation:
    tape, nodes = record.tape, tuple(_without_dropout(node, record) for node in record.model.network.nodes)
    branches: Mapping[int, Array] = {
        node.index: node.layer.branches(tape.params[node.name], tape.caches[node.index], tape.context(node))
        for node in nodes
        if isinstance(node.layer, PiecewiseLayer)
    }
    return Computation(
        nodes,
        {node.name: tape.params[node.name] for node in nodes},
        record.model.state,
        {place: tape.values[place] for place in (INPUT, *range(len(nodes)))},
        branches,
        LossHead(record.model.loss, record.labels, record.logits),
    )


def _without_dropout(node: Node, record: Record) -> Node:
    """Return a node that drops nothing where the record has dropped nothing."""
    if isinstance(node.layer, Dropout) and not record.tape.training:
        return replace(node, layer=node.layer.model_copy(update={"p": 0.0}))
    return node
