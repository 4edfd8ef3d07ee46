"""Any two functions, a forward and a backward, that are no layer at all."""

import inspect
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from cnnbp.gradcheck.examination import examinations, run_all
from cnnbp.gradcheck.explanation import layer_result
from cnnbp.gradcheck.foreign.claim import PairClaim
from cnnbp.gradcheck.foreign.observation import observe
from cnnbp.gradcheck.foreign.pair import BackwardFunction, ForwardFunction, Pair
from cnnbp.gradcheck.foreign.watching import Watched, as_array
from cnnbp.gradcheck.layerwise import LayerCase
from cnnbp.gradcheck.results import GradcheckReport
from cnnbp.gradcheck.workers import Workers


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
    pair = _pair(forward, backward, arrays)
    caller = Watched(arrays)
    with Workers(1) as workers:
        seen = observe(pair, seed)
        claims = tuple(PairClaim(pair, i, seen) for i in pair.variables if pair.names[i] in seen.gradients)
        findings = run_all(examinations(claims, entries, seed), workers, lambda done: None)
        problems = dict.fromkeys([*seen.problems, *pair.problems])
        if caller.has_changed:
            caller.restore()
            problems["forward or backward changes arrays that it was not given: yours, by names of their own"] = None
        result = layer_result(LayerCase(pair.name, "functions", claims, tuple(problems)), findings)
    return GradcheckReport((), (result,), (), perf_counter() - start, notes=seen.notes)


def _pair(forward: ForwardFunction, backward: BackwardFunction, arrays: Sequence[Any]) -> Pair:
    """Return functions with copies of their arrays: those of floating-point numbers are differentiated."""
    names, own, variables = _names(forward, len(arrays)), list[Any](), list[int]()
    for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
        found = np.asarray(array) if isinstance(array, float | list | tuple) else as_array(array)
        kind = None if found is None else found.dtype.kind
        if kind == "c":
            raise TypeError(f"{name} holds complex numbers: only real ones are checked; give real and imaginary parts")
        if kind == "f":
            variables.append(i)
            own.append(np.array(found, np.float64))
        else:
            own.append(array.copy() if isinstance(array, np.ndarray) else array)
    if not variables:
        raise TypeError("nothing to differentiate: no array holds floating-point numbers")
    return Pair(_name_of(forward), forward, backward, names, own, variables)


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
