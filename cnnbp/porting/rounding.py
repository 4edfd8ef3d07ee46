"""How much of each tensor is rounding, measured: the pass once more, with every number on the way a little off.

As for the gradient check (`gradcheck/rounding.py`), but for every value and ∂L/∂value, and in one number for a tensor.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.heads import InnerProductHead, LossHead
from cnnbp.gradcheck.replay import AllGradients, Disturb, replay
from cnnbp.gradcheck.rounding import DISTURBANCE
from cnnbp.inspect.record import Record
from cnnbp.layers import Layer, PiecewiseLayer
from cnnbp.layers.dropout import Dropout
from cnnbp.network import INPUT
from cnnbp.porting.steps import LayerStep
from cnnbp.porting.tensors import Pass, computed_tensors

_SAMPLES = 8


def rounding_scales(record: Record) -> dict[str, float]:
    """Return for every computed tensor how far an entry moves, at most, per relative change of each number on the way.

    Multiplied with a format's unit roundoff it is the size of one rounding; 0.5 of a sum whose terms are 0.5.
    """
    network, loss, computation = record.model.network, record.model.loss, _computation(record)

    def named(found: AllGradients, disturb: Disturb) -> dict[str, Array]:
        losses, _ = loss.forward(disturb(found.outputs[computation.output]), record.labels)
        ran = Pass(found.outputs, found.values, found.parameters, losses)
        return {tensor.name: tensor.array for tensor in computed_tensors(network, ran)}

    return _scales(computation, dict(enumerate(record.tape.caches)), named)


def layer_scales(step: LayerStep) -> dict[str, float]:
    """Return the same for a layer's y, dx, dW, … by these names."""
    node, (x,), (y, cache), name = step.node, step.xs, step.forward(), step.node.name
    assert step.dy is not None
    branches = (
        {0: node.layer.branches(step.params, cache, step.context)} if isinstance(node.layer, PiecewiseLayer) else {}
    )
    node = replace(node, layer=_without_dropout(node.layer, is_on=step.mask is not None))
    head = InnerProductHead(step.dy, y)
    computation = Computation((node,), {name: step.params}, {}, {INPUT: x, 0: y}, branches, head)

    def named(found: AllGradients, disturb: Disturb) -> dict[str, Array]:
        gradients = {f"d{theta}": found.parameters[f"{name}.{theta}"] for theta in step.params}
        return {"y": found.outputs[0], "dx": found.values[INPUT], **gradients}

    return _scales(computation, {0: cache}, named)


def _scales(
    computation: Computation, caches: Mapping[int, Any], named: Callable[[AllGradients, Disturb], dict[str, Array]]
) -> dict[str, float]:
    rng = np.random.default_rng(0)

    def disturb(array: Array) -> Array:
        return array * (1 + DISTURBANCE * rng.uniform(-1, 1, array.shape))

    samples = [named(replay(computation, caches, disturb), disturb) for _ in range(_SAMPLES)]
    return {name: _largest([sample[name] for sample in samples]) for name in samples[0]}


def _largest(samples: list[Array]) -> float:
    """Return the largest spread of an entry; a number is at least rounded itself."""
    spread = np.std(samples, axis=0, ddof=1).max(initial=0) / DISTURBANCE
    return float(max(spread, np.abs(samples[0]).max(initial=0)))


def _computation(record: Record) -> Computation:
    tape, nodes = record.tape, record.model.network.nodes
    branches: Mapping[int, Array] = {
        node.index: node.layer.branches(tape.params.of(node.name), tape.caches[node.index], tape.context(node))
        for node in nodes
        if isinstance(node.layer, PiecewiseLayer)
    }
    return Computation(
        tuple(replace(node, layer=_without_dropout(node.layer, is_on=tape.training)) for node in nodes),
        {node.name: tape.params.of(node.name) for node in nodes},
        record.model.state,
        {place: tape.values[place] for place in (INPUT, *range(len(nodes)))},
        branches,
        LossHead(record.model.loss, record.labels, record.logits),
    )


def _without_dropout(layer: Layer, *, is_on: bool) -> Layer:
    """Return a layer that drops nothing where nothing was dropped."""
    return layer.model_copy(update={"p": 0.0}) if isinstance(layer, Dropout) and not is_on else layer
