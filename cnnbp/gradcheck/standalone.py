"""One layer on its own, in one line of a test."""

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.gradcheck.examination import examinations, run_all
from cnnbp.gradcheck.explanation import layer_result, merged
from cnnbp.gradcheck.foreign.layers import tells_its_pieces
from cnnbp.gradcheck.layerwise import LayerCase, cases_as_asked, cropped_shape, resized
from cnnbp.gradcheck.results import GradcheckReport, LayerResult
from cnnbp.gradcheck.ways import further_cases
from cnnbp.gradcheck.workers import Workers
from cnnbp.layers import LayerSpec
from cnnbp.network import Network, Node

LARGE = 32  # sides of maps, above which windows repeat themselves
FEWER = 16  # entries of each tensor, where a layer is called in another way


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
    ties; then outside of training and for a single image. In float32, with `ctx.may_overwrite` and with
    `ctx.wants_dx=False` it must give the same. Parameters are drawn and moved a little; `params` ({"conv1": {"W": …}})
    are used instead, moved alike. At most `entries` of each tensor are checked one by one, the others together. Maps
    with sides above 32 are cropped under layers with windows, and the report says so.

    >>> from cnnbp.layers import Conv2d
    >>> check_layer(Conv2d(filters=4, kernel=3, pad=1), (3, 8, 7)).raise_if_wrong()
    """
    start, given = perf_counter(), params or {}
    network = Network(input_shape, [layer])
    drawn, state = network.initial_parameters(seed, np.float64), network.initial_state()
    results: list[LayerResult] = []
    notes: dict[str, None] = {}
    for node in network.nodes:
        own = drawn.of(node.name) | dict(given.get(node.name, {}))
        small = _without_needless_places(node)
        if small is not node:
            asked, taken = (format_shape(place.input_shapes[0]) for place in (node, small))
            notes[f"{node.name} is checked on {taken} instead of {asked}: more windows are like these"] = None
        usual = [*cases_as_asked(small, own, state, seed)]
        found = [_checked(case, entries, seed) for case in usual]
        if all(result.verdict == "pass" for result in found):
            found += [_checked(case, min(entries, FEWER), seed) for case in further_cases(small, own, state, seed)]
        results += found
        notes |= dict.fromkeys(note for case in usual for note in case.notes)
    return GradcheckReport((), merged(results), (), perf_counter() - start, notes=tuple(notes))


def _without_needless_places(node: Node) -> Node:
    """Return the node over smaller maps where large ones have nothing new; only under a forward of cnnbp's own."""
    large = max(node.input_shapes[0][1:], default=0) > LARGE
    windows = node.layer.window(node.input_shapes[0]) is not None
    return resized(node, cropped_shape) if large and windows and tells_its_pieces(node) else node


def _checked(case: LayerCase, entries: int, seed: int) -> LayerResult:
    with Workers(1) as workers:
        return layer_result(case, run_all(examinations(case.claims, entries, seed), workers, lambda done: None))
