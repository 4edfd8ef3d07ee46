"""What a pair of functions does before any slope is looked at: whether it is pure, the same each time, how precise."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.arrays import Array, format_shape
from cnnbp.gradcheck.foreign.pair import Pair, Ran
from cnnbp.gradcheck.foreign.precision import Precision, precision_of
from cnnbp.gradcheck.foreign.watching import Watched, equal

SAMPLES = 3  # of a disturbed backward
ROUNDINGS = 64.0  # that a correct gradient may be away: sums of n terms add up to √n of them
KEPT = "a second backward gives other gradients: something is kept between calls"


@dataclass(frozen=True)
class Observation:
    """What a pair did at the point where it is checked, in float64.

    `upstream` is ∂L/∂y for a random L. `rounding` is how far off each entry of a correct gradient may be. `precision`
    is what forward computes in, as each variable sees it. `problems` must not be, `notes` are worth knowing.
    """

    y: Array
    upstream: Array
    gradients: Mapping[str, Array]
    rounding: Mapping[str, Array]
    precision: Mapping[str, Precision]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def coarsest(self) -> float:
        """The unit roundoff of the coarsest arithmetic that is seen."""
        return max(found.unit for found in self.precision.values())


def observe(pair: Pair, seed: int) -> Observation:
    """Run a pair a few times at its own arrays.

    Raises TypeError where it does not return what such functions return.
    """
    ran = pair.run()
    y = ran.y
    if np.iscomplexobj(y):
        raise TypeError(f"y is {y.dtype}: only real numbers can be checked; return its real and imaginary parts")
    dtype = y.dtype if y.dtype.kind == "f" else np.dtype(np.float64)
    dy = np.random.default_rng([seed, 2]).normal(size=y.shape).astype(dtype)
    precision = {pair.names[i]: precision_of(pair, i, y) for i in pair.variables}
    coarsest = max(precision.values(), key=lambda found: found.unit)
    changing = [*_changes_from_run_to_run(pair, y, coarsest.same)]
    found, problems, notes = _backwards(pair, ran, dy, coarsest.same)
    problems += [*pair.problems, *_misfits(pair, found, coarsest)]
    if changing:  # then all else changes, too
        problems = [*changing, *(problem for problem in problems if problem != KEPT)]
    fitting = {} if changing else {name: gradient.astype(np.float64) for name, gradient in _fitting(pair, found)}
    return Observation(
        y.astype(np.float64),
        dy.astype(np.float64),
        fitting,
        roundings(pair, dy, fitting, coarsest),
        precision,
        tuple(dict.fromkeys(problems)),
        tuple(dict.fromkeys([*notes, *_notes(pair, coarsest)])),
    )


def _changes_from_run_to_run(pair: Pair, y: Array, tolerance: float) -> Iterator[str]:
    again = pair.run().y
    if again.shape != y.shape:
        yield f"forward is not deterministic: y has shape {format_shape(y.shape)}, then {format_shape(again.shape)}"
    elif not np.isfinite(y).all():
        yield "y has NaN or Inf: there is no gradient"
    elif (off := float(np.abs(again - y).max(initial=0))) > tolerance * float(np.abs(y).max(initial=0)):
        yield f"forward is not deterministic: two runs on the same arrays differ by {off:.2g}; fix its random seed"


def _backwards(
    pair: Pair, ran: Ran, dy: Array, tolerance: float
) -> tuple[dict[str, Array | None], list[str], list[str]]:
    """Run backward twice from one cache and once from another; return its gradients, problems and notes."""
    given = {**ran.given, "its cache": ran.cache, "dy": dy.copy()}
    watched = {name: Watched(value) for name, value in given.items()}
    first = pair.gradients(given["dy"][()], ran.cache)
    changed = [name for name in given if watched[name].has_changed]
    if any(name in changed for name in ran.given) and "its cache" in changed:
        changed.remove("its cache")  # which holds the array
    problems, notes = [f"backward changes {name}" for name in changed], []
    for what in watched.values():
        what.restore()
    unseen = sorted(watched["its cache"].unseen)
    if unseen:
        notes.append(
            f"the cache holds what cannot be looked into ({', '.join(unseen)}): changes in it would not be seen"
        )
    others = [pair.gradients(dy.copy()[()], pair.run().cache)]
    try:
        others.append(pair.gradients(dy.copy()[()], ran.cache))
    except Exception as error:
        notes.append(f"backward runs once for each forward: a second time it raises {type(error).__name__}")
    if not all(_same(first, other, tolerance) for other in others):
        problems.append(KEPT)
    return first, problems, notes


def _same(left: Mapping[str, Array | None], right: Mapping[str, Array | None], tolerance: float) -> bool:
    for name, one in left.items():
        other = right[name]
        if one is None or other is None or one.shape != other.shape:
            if one is not other:
                return False
        elif not equal(one, other) and not np.abs(one - other).max() <= tolerance * np.abs(one).max():
            return False
    return True


def _fitting(pair: Pair, found: Mapping[str, Array | None]) -> Iterator[tuple[str, Array]]:
    for i in pair.variables:
        gradient = found[pair.names[i]]
        if gradient is not None and gradient.shape == pair.arrays[i].shape and gradient.dtype.kind != "c":
            yield pair.names[i], gradient


def _misfits(pair: Pair, found: Mapping[str, Array | None], precision: Precision) -> Iterator[str]:
    for i in pair.variables:
        name, gradient, theta = pair.names[i], found[pair.names[i]], pair.arrays[i]
        if gradient is None:
            yield f"backward gives no d{name}"
        elif gradient.shape != theta.shape:
            yield f"d{name} has shape {format_shape(gradient.shape)}, it should be {format_shape(theta.shape)}"
        elif gradient.dtype.kind == "c":
            yield f"d{name} is {gradient.dtype}, it should be real"
        elif gradient.dtype.kind == "f" and gradient.dtype.itemsize < 8 and precision.name == "float64":
            yield f"d{name} is {gradient.dtype} where everything else is float64"
        elif not np.isfinite(gradient).all():
            yield f"d{name} has NaN or Inf"


def _notes(pair: Pair, precision: Precision) -> Iterator[str]:
    if precision.name != "float64":
        digits = f"{precision.digits} digit{'s' * (precision.digits > 1)}"
        yield f"forward computes in {precision.name}, or as coarsely: slopes are known to {digits}, no more is asked"
    for i in pair.variables:
        theta = pair.arrays[i]
        if theta.size and (theta == theta.flat[0]).all() and theta.flat[0] in (0, 1) and theta.size > 1:
            name = pair.names[i]
            yield f"{name} is {theta.flat[0]:g} everywhere: what forgets it is right by chance; other numbers show more"


def roundings(pair: Pair, dy: Array, gradients: Mapping[str, Array], precision: Precision) -> dict[str, Array]:
    """Return how far off correct gradients may be: what becomes of them when dy and the cache are a little off.

    Where a cache that is off makes a large difference another branch was taken, which is no rounding.
    """
    by = precision.disturbance
    rngs = [np.random.default_rng(k) for k in range(SAMPLES)]
    of_dy, of_both = ([_disturbed(pair, dy, by, rng, with_cache) for rng in rngs] for with_cache in (False, True))
    found = {}
    for name, gradient in gradients.items():
        spread, further = (_spread(samples, name, gradient) for samples in (of_dy, of_both))
        further = np.where(further <= np.sqrt(by) * np.abs(gradient).max(initial=0), further, 0)
        spread = np.maximum(spread, further)
        least = np.sqrt(np.mean(np.square(spread))) if spread.size else 0.0
        found[name] = ROUNDINGS * precision.unit * np.maximum(spread, least) / by
    return found


def _spread(samples: Sequence[Mapping[str, Any] | None], name: str, gradient: Array) -> Array:
    off = [sample[name] - gradient for sample in samples if sample is not None and sample[name] is not None]
    return np.sqrt(np.mean(np.square(off), axis=0)) if off else np.zeros(gradient.shape)


def _disturbed(
    pair: Pair, dy: Array, by: float, rng: np.random.Generator, with_cache: bool
) -> Mapping[str, Any] | None:
    """Return the gradients from a dy and a cache that are a little off everywhere; None where backward refuses them."""

    def disturb(array: Array) -> Array:
        return array * (1 + by * rng.uniform(-1, 1, array.shape)).astype(array.dtype)

    cache = pair.run().cache
    if with_cache:
        Watched(cache).disturb(disturb)
    try:
        return pair.gradients(disturb(dy)[()], cache)
    except Exception:  # it asserts what a disturbed cache does not keep
        return None
