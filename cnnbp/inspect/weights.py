"""Parameters from elsewhere in the place of drawn ones."""

from collections.abc import Mapping

import numpy as np

from cnnbp.arrays import Array, format_shape
from cnnbp.errors import DataError
from cnnbp.names import did_you_mean
from cnnbp.parameters import Parameters

_PREFIX = "param/"  # what grads --save puts before a parameter's name


def with_weights(params: Parameters, arrays: Mapping[str, Array], source: str) -> tuple[Parameters, list[str]]:
    """Return parameters in float64 with the given arrays, "conv1.W", in their places, and the names of the others.

    Where some names begin with `param/`, only these are parameters. Raises DataError, for all that does not fit.
    """
    saved = {name.removeprefix(_PREFIX): array for name, array in arrays.items() if name.startswith(_PREFIX)}
    given = saved or arrays
    own = dict(params.astype(np.float64).named())
    problems = [problem for name, array in given.items() for problem in _problems(name, array, own)]
    if problems or not given:
        raise DataError(f"{source!r} does not fit the network: {'; '.join(problems) or 'it holds no parameter'}")
    changed = params.astype(np.float64)
    for name, theta in changed.named():
        if name in given:
            theta[...] = given[name]
    return changed, [name for name in own if name not in given]


def _problems(name: str, array: Array, own: Mapping[str, Array]) -> list[str]:
    if name not in own:
        return [f"there is no {name!r}, {did_you_mean(name, list(own))}"]
    if array.shape != own[name].shape:
        return [f"{name} is {format_shape(array.shape)}, and should be {format_shape(own[name].shape)}"]
    return [] if np.isfinite(array).all() else [f"{name} holds numbers that are not finite"]
