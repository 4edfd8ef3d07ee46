"""The other ways in which a layer is called, and must be as right."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.arrays import Array
from cnnbp.gradcheck.foreign.layers import pair_of
from cnnbp.gradcheck.foreign.observation import ROUNDINGS, roundings
from cnnbp.gradcheck.foreign.pair import Pair
from cnnbp.gradcheck.foreign.precision import PRECISIONS
from cnnbp.gradcheck.layerwise import IMAGES, LayerCase, foreign_case, jittered, noise
from cnnbp.layers import Context
from cnnbp.layers.base import Params
from cnnbp.network import Node
from cnnbp.parameters import Tensors

POINTS = 2  # what is wrong must be so at both: rounding may take a number to the other side of a kink
MOST_ROUNDINGS = 500.0  # of float32, that a right result may be away; a detour over half precision costs 2¹³
WAYS = (  # images, how large the noise is, whether this is training
    (IMAGES, 1.0, False, "outside of training"),
    (IMAGES, 8.0, True, "for large inputs"),
    (1, 1.0, True, "for a single image"),
)
EQUAL = 1e-10  # of the largest number: the same arithmetic in other memory


def further_cases(node: Node, params: Params, state: Tensors, seed: int) -> Iterator[LayerCase]:
    """Yield claims on other inputs than usual and outside of training; and what is wrong in other contexts."""
    rng = np.random.default_rng([seed, node.index, 1])
    moved = jittered(node, params, rng)
    for images, scale, training, where in WAYS:
        xs = tuple(scale * x for x in noise(node.input_shapes, rng, images))
        yield foreign_case(node, moved, state, xs, seed, training=training, where=where)
    points = [noise(node.input_shapes, rng) for _ in range(POINTS)]
    first, *others = ([*_differences(node, moved, state, xs, seed)] for xs in points)
    always = [what for what in first if all(what in other for other in others)]
    yield LayerCase(node.name, node.layer.type, (), tuple(always))


def _differences(node: Node, params: Params, state: Tensors, xs: tuple[Array, ...], seed: int) -> Iterator[str]:
    """Yield what changes when the layer may overwrite what it reads, need not give dx, or computes in float32."""

    def pair(dtype: DTypeLike = np.float64, **options: bool) -> Pair:
        def context() -> Context:
            statistics, stream = state.get(node.name, {}), (seed, 0, node.index, 0)
            return Context(training=True, state=statistics, stream=stream, **options)  # type: ignore[arg-type]

        rounded = {name: theta.astype(np.float32).astype(dtype) for name, theta in params.items()}
        return pair_of(node, rounded, tuple(x.astype(np.float32).astype(dtype) for x in xs), context)

    usual = pair()
    dy = np.random.default_rng(seed).normal(size=usual.run().y.shape).astype(np.float32)
    exact, allowed = _results(usual, dy), _allowed(usual, dy.astype(np.float64))
    equal = {name: EQUAL * np.abs(array).max(initial=0) for name, array in exact.items()}
    for said, other, allowance in (
        ("with ctx.may_overwrite", pair(may_overwrite=True), equal),
        ("with ctx.wants_dx=False", pair(wants_dx=False), equal),
        ("in float32", pair(np.float32), allowed),
    ):
        try:
            results = _results(other, dy)
        except Exception as error:
            yield f"{said} it raises {type(error).__name__}: {error}"
            continue
        for name, array in results.items():
            if array.shape != exact[name].shape or not (np.abs(array - exact[name]) <= allowance[name]).all():
                yield f"{said} {name} is another one"


def _results(pair: Pair, dy: Array) -> dict[str, Array]:
    """Return y and each gradient that is given, by its name."""
    ran = pair.run()
    found = pair.gradients(dy.astype(ran.y.dtype), ran.cache)
    return {"y": ran.y} | {f"d{name}": gradient for name, gradient in found.items() if gradient is not None}


def _allowed(pair: Pair, dy: Array) -> Mapping[str, Array]:
    """Return how far off y and each gradient may be in float32."""
    double, single = PRECISIONS["float64"], PRECISIONS["float32"]
    gradients = {name: array for name, array in pair.gradients(dy, pair.run().cache).items() if array is not None}
    found = roundings(pair, dy, gradients, double)
    coarser = MOST_ROUNDINGS / ROUNDINGS * single.unit / double.unit
    return {"y": coarser * _rounding_of_y(pair)} | {f"d{name}": coarser * array for name, array in found.items()}


def _rounding_of_y(pair: Pair) -> Array:
    """Return how far off y may be in float64: what becomes of it when all that is read is a little off."""
    by, y = PRECISIONS["float64"].disturbance, pair.run().y
    off = []
    for k in range(3):
        rng = np.random.default_rng(k)
        moved = {i: pair.arrays[i] * (1 + by * rng.uniform(-1, 1, np.shape(pair.arrays[i]))) for i in pair.variables}
        off.append(pair.value(moved, y) - y)
    spread = np.sqrt(np.mean(np.square(off), axis=0))
    return ROUNDINGS * PRECISIONS["float64"].unit * np.maximum(spread, np.sqrt(np.mean(np.square(spread)))) / by
