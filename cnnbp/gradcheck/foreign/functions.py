"""Any two functions, a forward and a backward, that are no layer at all."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.gradcheck.diagnosis.pairs import PairTrial
from cnnbp.gradcheck.examination import examinations, run_all
from cnnbp.gradcheck.explanation import layer_result
from cnnbp.gradcheck.foreign.claim import PairClaim
from cnnbp.gradcheck.foreign.likeness import Layout, Likeness
from cnnbp.gradcheck.foreign.observation import KEPT, observe
from cnnbp.gradcheck.foreign.pair import BackwardFunction, ForwardFunction, Pair
from cnnbp.gradcheck.foreign.watching import Watched, as_array
from cnnbp.gradcheck.layerwise import LayerCase
from cnnbp.gradcheck.results import GradcheckReport
from cnnbp.gradcheck.workers import Workers
from cnnbp.layers import Layer


def check_functions(
    forward: ForwardFunction,
    backward: BackwardFunction,
    *arrays: Any,
    like: Layer | None = None,
    layout: Layout = "nchw",
    dtype: DTypeLike = np.float64,
    entries: int = 512,
    seed: int = 0,
) -> GradcheckReport:
    """Check `backward(dy, cache)` → one gradient per array against `forward(*arrays)` → y, cache.

    The arrays are taken as float64 (or another `dtype`) and have any shape; those of integers or booleans (labels,
    masks) are handed on and not differentiated, what backward returns in their places is ignored. A single array may
    get its gradient alone instead of in a tuple. At a kink, where the slopes from left and right differ, any slope
    between them passes. `like` is the layer of cnnbp that the functions are meant to be, and `layout` how their arrays
    lie (nchw, nhwc, chwm): hints are then as good as for cnnbp's own. Raises TypeError for what is no such pair of
    functions, ConfigError for arrays that the layer does not take.

    >>> def forward(x, w):
    ...     return x @ w, (x, w)
    >>> def backward(dy, cache):
    ...     x, w = cache
    ...     return dy @ w.T, x.T @ dy
    >>> x, w = np.ones((3, 4)), np.arange(8.0).reshape(4, 2)
    >>> check_functions(forward, backward, x, w).raise_if_wrong()
    """
    caller = Watched(arrays)
    names = _names(forward, len(arrays))
    pair = pair_on(_name_of(forward), forward, backward, dict(zip(names, arrays, strict=True)), dtype)
    report = check_pair(pair, Likeness.of(pair, like, layout) if like else None, entries, seed)
    if not caller.has_changed:
        return report
    caller.restore()
    [result] = report.layers
    problem = "forward or backward changes arrays that it was not given: yours, by names of their own"
    result = replace(result, problems=(*result.problems, problem), hint=result.hint or problem)
    return replace(report, layers=(result,))


def check_pair(pair: Pair, likeness: Likeness | None, entries: int, seed: int) -> GradcheckReport:
    """Check the gradients of a pair of functions at its own arrays."""
    start = perf_counter()
    with Workers(1) as workers:
        seen = observe(pair, seed)
        claims = tuple(PairClaim(pair, i, seen) for i in pair.variables if pair.names[i] in seen.gradients)
        findings = run_all(examinations(claims, entries, seed), workers, lambda done: None)
        problems = tuple(dict.fromkeys([*seen.problems, *pair.problems]))
        trial = None if KEPT in problems else PairTrial(pair, seen)
        result = layer_result(LayerCase(pair.name, "functions", claims, problems, trial), findings)
        notes = list(seen.notes)
        if likeness is not None and trial is not None and claims:
            notes += filter(None, [likeness.difference(seen)])
            result = replace(result, hint=likeness.hint(seen, findings) or result.hint)
    return GradcheckReport((), (result,), (), perf_counter() - start, notes=tuple(notes))


def pair_on(
    name: str, forward: ForwardFunction, backward: BackwardFunction, arrays: Mapping[str, Any], dtype: DTypeLike
) -> Pair:
    """Return functions with copies of their arrays: those of floating-point numbers are differentiated."""
    own, variables = list[Any](), list[int]()
    for i, (array_name, array) in enumerate(arrays.items()):
        found = np.asarray(array) if isinstance(array, float | list | tuple) else as_array(array)
        kind = None if found is None else found.dtype.kind
        if kind == "c":
            raise TypeError(f"{array_name} holds complex numbers: only real ones are checked; give their two parts")
        if kind == "f":
            variables.append(i)
            own.append(np.array(found, dtype))
        else:
            own.append(array.copy() if isinstance(array, np.ndarray) else array)
    if not variables:
        raise TypeError("nothing to differentiate: no array holds floating-point numbers")
    return Pair(name, forward, backward, list(arrays), own, variables)


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
