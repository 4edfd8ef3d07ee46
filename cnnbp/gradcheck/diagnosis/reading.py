"""From a finding to the pattern that hints read: whole arrays, named axes, and sizes that a factor may come from."""

from math import prod

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck.arguments import Parameter
from cnnbp.gradcheck.claims import Claim, LayerClaim
from cnnbp.gradcheck.comparison import Finding, Verdict
from cnnbp.gradcheck.diagnosis.pattern import Pattern, Sizes
from cnnbp.gradcheck.foreign.claim import PairClaim
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
    if isinstance(claim, PairClaim) and claim.pair.node is None:
        return (*(f"axis {axis}" for axis in range(ndim - 2)), *("row", "column")[max(2 - ndim, 0) :])
    return axes_of(_owner(claim), ndim)


def axes_of(node: Node | None, ndim: int) -> tuple[str, ...]:
    """Return the names of a parameter's axes, or of a value's where there is no node that it belongs to."""
    if node is None:
        return {4: _MAPS, 2: _FEATURES}.get(ndim) or tuple(f"axis {axis}" for axis in range(ndim))
    if isinstance(node.layer, Conv2d | Dense):
        return {4: _KERNEL, 2: _MATRIX}.get(ndim, ("filter",))
    return ("channel", *(f"axis {axis}" for axis in range(1, ndim)))


def _owner(claim: Claim) -> Node | None:
    """Return the node whose parameter the claim is about; None for a value."""
    if isinstance(claim, PairClaim):
        return claim.pair.node if claim.pair.node and claim.name in claim.pair.node.parameter_specs else None
    assert isinstance(claim, LayerClaim)
    return claim.argument.node if isinstance(claim.argument, Parameter) else None


def _sizes(finding: Finding) -> Sizes:
    """Return the sizes of the batch, and of the layer that the tensor belongs to, where it is one."""
    claim = finding.claim
    if isinstance(claim, PairClaim) and claim.pair.node is not None:
        return {"M": claim.seen.y.shape[-1]} | sizes_of(claim.pair.node)
    if isinstance(claim, PairClaim):
        shapes = [np.shape(claim.pair.arrays[i]) for i in claim.pair.variables]
        return {"N": next((shape[0] for shape in shapes if len(shape) > 1), 1)}
    assert isinstance(claim, LayerClaim)
    computation, argument = claim.argument.computation, claim.argument
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
