"""The gradient of a batch is the sum of its images', each with its 1/M, and the engine finds the same, in float64."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from cnnbp.arrays import Array
from cnnbp.engine import Engine, MicroBatch
from cnnbp.gradcheck.claims import LayerClaim
from cnnbp.gradcheck.point import Point
from cnnbp.layers.dropout import Dropout
from cnnbp.parameters import Parameters

TOLERANCE = 1e-12  # of a tensor's largest entry, beside the rounding of its own


def broken_sums(
    point: Point, claims: Sequence[LayerClaim], claims_at: Callable[[Point], Sequence[LayerClaim]]
) -> Iterator[str]:
    """Yield each parameter whose gradient is another one when the engine adds it up image by image.

    The engine reuses memory, skips ∂L/∂X and lets batch norm meet in the middle: this is the pass that trains. Products
    of other sizes round otherwise, and where a tie falls to the other side the gradient is another one, too. So what is
    unequal must be so at a point beside this one as well, where nothing ties.
    """
    unequal = set(_unequal(point, claims))
    if not unequal:
        return
    beside = point.without_dropout().beside()
    for name in _unequal(beside, claims_at(beside)):
        if name in unequal:
            yield f"{name}: the images' gradients, as training adds them up, do not sum to the batch's"


def _unequal(point: Point, claims: Sequence[LayerClaim]) -> Iterator[str]:
    whole = _without_dropout(point)
    summed = _by_the_engine(point.without_dropout())
    for claim in claims:
        if claim.name not in summed:
            continue  # X: no training asks for its gradient
        gradient = claim.gradient if whole is None else dict(whole.named())[claim.name]
        difference = np.abs(summed[claim.name] - gradient)
        if not _is_rounding(difference, gradient, claim) and not _is_rounding(difference, gradient, claim.closer()):
            yield claim.name


def _is_rounding(difference: Array, gradient: Array, claim: LayerClaim) -> bool:
    return bool((difference <= TOLERANCE * np.abs(gradient).max() + claim.rounding).all())


def _by_the_engine(point: Point) -> dict[str, np.ndarray]:
    batch = [
        MicroBatch(np.ascontiguousarray(point.x[..., m : m + 1]), point.labels[m : m + 1])
        for m in range(len(point.labels))
    ]
    with Engine(point.network, point.loss, threads=1) as engine:
        return dict(engine.step(point.params, point.state, batch).gradient.named())


def _without_dropout(point: Point) -> Parameters | None:
    """Return the gradient of the batch with nothing dropped; None where nothing is dropped anyway."""
    if not any(isinstance(node.layer, Dropout) for node in point.network.nodes):
        return None
    kept = point.without_dropout()
    tape, logits = kept.forward()
    _, cache = kept.loss.forward(logits, kept.labels)
    return kept.backward(tape, kept.loss.backward(cache, len(kept.labels)))
