"""Checks for whoever writes a backward pass: one layer in a line, or two NumPy functions that are no layer at all."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.gradcheck.arguments import Value
from cnnbp.gradcheck.claims import LayerClaim
from cnnbp.gradcheck.computation import Computation
from cnnbp.gradcheck.examination import Finding, examinations, run_all
from cnnbp.gradcheck.explanation import layer_result, merged
from cnnbp.gradcheck.function_layer import BackwardFunction, ForwardFunction, FunctionLayer
from cnnbp.gradcheck.heads import InnerProductHead
from cnnbp.gradcheck.kinks import settle_kinks
from cnnbp.gradcheck.layerwise import LayerCase, layer_cases
from cnnbp.gradcheck.preflight import observe
from cnnbp.gradcheck.results import GradcheckReport, LayerResult, TensorResult
from cnnbp.gradcheck.workers import Workers
from cnnbp.layers import Context, LayerSpec, PiecewiseLayer
from cnnbp.network import Network, Node


def check_layer(
    layer: LayerSpec,
    input_shape: Shape,
    *,
    params: Mapping[str, Mapping[str, Array]] | None = None,
    entries: int = 512,
    seed: int = 0,
) -> GradcheckReport:
    """Check one layer (or a residual block) on its own, for inputs of this shape (without the batch axis).

    Every ∂⟨g, F(x, θ)⟩ is held against numeric derivatives for a random g: on noise, and on small integers, which bring
    ties. Parameters are drawn and moved a little; `params` ({"conv1": {"W": …}}) are used instead, moved alike. At most
    `entries` of each tensor are checked, and a random direction of a larger one.

    >>> from cnnbp.layers import Conv2d
    >>> check_layer(Conv2d(filters=4, kernel=3, pad=1), (3, 8, 7)).raise_if_wrong()
    """
    start, given = perf_counter(), params or {}
    network = Network(input_shape, [layer])
    drawn = network.initial_parameters(seed, np.float64)
    layers = [
        _checked(case, entries, seed, declares_kinks=isinstance(node.layer, PiecewiseLayer))
        for node in network.nodes
        for case in layer_cases(node, {**drawn[node.name], **given.get(node.name, {})}, network.initial_state(), seed)
    ]
    return GradcheckReport((), merged(layers), (), perf_counter() - start)


def check_functions(
    forward: ForwardFunction, backward: BackwardFunction, *arrays: Any, entries: int = 512, seed: int = 0
) -> GradcheckReport:
    """Check `backward(dy, cache)` → one gradient per array against `forward(*arrays)` → y, cache.

    The arrays are taken as float64 and have any shape; those of integers or booleans (labels, masks) are handed on and
    not differentiated, what backward returns in their places is ignored. A single array may get its gradient alone
    instead of in a tuple. At a kink, where the slopes from left and right differ, any slope between them passes.

    >>> def forward(x, w):
    ...     return x @ w, (x, w)
    >>> def backward(dy, cache):
    ...     x, w = cache
    ...     return dy @ w.T, x.T @ dy
    >>> x, w = np.ones((3, 4)), np.arange(8.0).reshape(4, 2)
    >>> check_functions(forward, backward, x, w).raise_if_wrong()
    """
    start = perf_counter()
    constants = {i: array for i, array in enumerate(arrays) if np.asarray(array).dtype.kind in "biu"}
    xs = tuple(np.asarray(array, np.float64)[..., None] for i, array in enumerate(arrays) if i not in constants)
    names = [name for i, name in enumerate(_names(forward, len(arrays))) if i not in constants]
    layer = FunctionLayer(name=_name_of(forward), run=forward, differentiate=backward, constants=constants)
    result = _checked(_case(layer, xs, names, seed), entries, seed, declares_kinks=False)
    tensors = tuple(_without_copies(tensor) for tensor in result.tensors)
    return GradcheckReport((), (replace(result, tensors=tensors),), (), perf_counter() - start)


def _checked(case: LayerCase, entries: int, seed: int, *, declares_kinks: bool) -> LayerResult:
    with Workers(1) as workers:  # functions of others may not be made for threads
        findings: list[Finding] = run_all(examinations(case.claims, entries, seed), workers, lambda done: None)
    return layer_result(case, findings if declares_kinks else map(settle_kinks, findings))


def _case(layer: FunctionLayer, xs: tuple[Array, ...], names: Sequence[str], seed: int) -> LayerCase:
    if not xs:
        raise TypeError("nothing to differentiate: every array holds integers or booleans")
    x, ctx = xs[0] if len(xs) == 1 else xs, Context(training=True)
    y, cache = layer.forward({}, x, ctx)
    upstream = np.random.default_rng([seed, 2]).normal(size=y.shape)
    returned = layer.backward({}, cache, upstream, ctx)[0]
    count = len(returned) if isinstance(returned, tuple) else 1
    if count != len(xs):
        raise TypeError(f"backward returned {count} gradients, it should be one for each of {', '.join(names)}")
    if misfits := [*_misfits(names, returned if isinstance(returned, tuple) else (returned,), xs)]:
        return LayerCase(layer.name or "", layer.type, (), tuple(misfits))
    seen = observe(layer, {}, xs, upstream, ctx)
    inputs = tuple(range(-len(xs), 0))
    node = Node(0, layer, inputs, tuple(array.shape[:-1] for array in xs), y.shape[:-1])
    values = {**dict(zip(inputs, xs, strict=True)), 0: seen.y}
    computation = Computation((node,), {node.name: {}}, {}, values, {}, InnerProductHead(upstream, seen.y))
    claims = tuple(  # no allowance for rounding: to a pass with disturbed numbers kinks would look like rounding
        LayerClaim(Value(name, computation, index), dx, amplification=None)
        for name, index, dx in zip(names, inputs, seen.dxs, strict=True)
    )
    return LayerCase(node.name, layer.type, claims, seen.problems)


def _misfits(names: Sequence[str], dxs: Sequence[Array], xs: Sequence[Array]) -> Iterator[str]:
    for name, dx, x in zip(names, dxs, xs, strict=True):
        if dx.shape != x.shape:
            yield f"d{name} has shape {format_shape(dx.shape[:-1])}, it should be {format_shape(x.shape[:-1])}"


def _names(forward: ForwardFunction, count: int) -> list[str]:
    """Return what forward calls its arrays."""
    try:
        parameters = [*inspect.signature(forward).parameters.values()]
    except (TypeError, ValueError):  # built in: it has no signature
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    return named if len(named) == count else [f"x{i + 1}" for i in range(count)]


def _name_of(forward: ForwardFunction) -> str:
    name = getattr(forward, "__name__", "")
    return name if name.isidentifier() else "forward"


def _without_copies(tensor: TensorResult) -> TensorResult:
    """Leave out the axis along which copies stood."""
    return replace(tensor, shape=tensor.shape[:-1], worst=replace(tensor.worst, index=tensor.worst.index[:-1]))
