"""From a finding to the pattern that hints read: whole arrays, named axes, and sizes that a factor may come from."""

from math import prod

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.arguments import Parameter
from cnnbp.gradcheck.claims import LayerClaim
from cnnbp.gradcheck.comparison import Verdict
from cnnbp.gradcheck.diagnosis.pattern import Pattern, Sizes
from cnnbp.gradcheck.examination import Finding
from cnnbp.gradcheck.function_layer import FunctionLayer
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.dense import Dense
from cnnbp.layers.dropout import Dropout
from cnnbp.network import Node

_MAPS, _FEATURES = ("channel", "row", "column", "image"), ("feature", "image")
_KERNEL, _MATRIX = ("filter", "channel", "row", "column"), ("unit", "feature")


def pattern_of(finding: Finding) -> Pattern:
    """Return the pattern of one tensor."""
    comparison, shape = finding.comparison, finding.claim.theta.shape

    def whole(values: Array, elsewhere: float) -> Array:
        array = np.full(shape, elsewhere)
        array.reshape(-1)[comparison.entries] = values
        return array

    return Pattern(
        analytic=finding.claim.gradient,
        numeric=whole(comparison.numeric, np.nan),
        wrong=whole(comparison.verdicts == Verdict.FAIL, 0).astype(bool),
        kink=whole(comparison.kink, 0).astype(bool),
        bound=whole(np.where(np.isfinite(comparison.bound), comparison.bound, 0), 0),
        axes=_axes(finding),
        sizes=_sizes(finding),
    )


def _axes(finding: Finding) -> tuple[str, ...]:
    claim, ndim = finding.claim, finding.claim.theta.ndim
    assert isinstance(claim, LayerClaim)
    nodes = claim.argument.computation.nodes
    if any(isinstance(node.layer, FunctionLayer) for node in nodes):
        outer = tuple(f"axis {axis}" for axis in range(ndim - 3))
        return (*outer, *("row", "column")[max(3 - ndim, 0) :], "copy")
    if isinstance(claim.argument, Parameter):
        layer = claim.argument.node.layer
        if isinstance(layer, Conv2d | Dense):
            return {4: _KERNEL, 2: _MATRIX}.get(ndim, ("filter",))
        return ("channel", *(f"axis {axis}" for axis in range(1, ndim)))
    return {4: _MAPS, 2: _FEATURES}[ndim]


def _sizes(finding: Finding) -> Sizes:
    """Return the sizes of the batch, and of the layer that the tensor belongs to, where it is one."""
    claim = finding.claim
    assert isinstance(claim, LayerClaim)
    computation, argument = claim.argument.computation, claim.argument
    if any(isinstance(node.layer, FunctionLayer) for node in computation.nodes):
        shapes = [shape for shape in computation.nodes[0].input_shapes if len(shape) > 1]
        return {"N": shapes[0][0]} if shapes else {}
    sizes: Sizes = {"M": computation.batch_size}
    if isinstance(argument, Parameter):
        return sizes | sizes_of(argument.node)
    if len(computation.nodes) == 1:
        return sizes | sizes_of(computation.nodes[0])
    return sizes if computation.nodes else sizes | {"K": len(claim.theta)}


def sizes_of(node: Node) -> Sizes:
    """Return the sizes that a layer has of itself."""
    sizes: Sizes = {}
    if isinstance(node.layer, Dropout):
        sizes["1 − p"] = 1 - node.layer.p
    window = node.layer.window(node.input_shapes[0])
    if window is not None and not node.parameter_specs:  # a pool: it divides by them
        sizes |= {"kH·kW": prod(window.kernel), "kW": window.kernel[1], "kH": window.kernel[0]}
    if len(node.input_shapes[0]) == 3:
        sizes["H·W"] = prod(node.output_shape[1:]) if window is not None else prod(node.input_shapes[0][1:])
    return sizes
