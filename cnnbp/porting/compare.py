"""Another program's tensors against a reference."""

from collections.abc import Mapping

from cnnbp.arrays import Array
from cnnbp.errors import DataError
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.names import closest
from cnnbp.porting.comparer import Comparer, Expected
from cnnbp.porting.comparison import ComparisonReport
from cnnbp.porting.recipes import recipes
from cnnbp.porting.reference import Description, Reference
from cnnbp.porting.tensors import is_given
from cnnbp.porting.tolerance import Tolerance


def compare(reference: Reference, found: Mapping[str, Array], share: float | None = None) -> ComparisonReport:
    """Compare what another program has computed with a reference; it may have some of the tensors alone.

    `share` takes the place of the tolerance that the arrays' dtypes allow. Raises DataError where there is nothing to
    compare, ConfigError for numbers that are too coarse.
    """
    known = reference.description.tensors
    expected = {
        name: Expected(reference.arrays[name], tensor.axes, tensor.rounding, is_given(name))
        for name, tensor in known.items()
    }
    common, unknown = shared(expected, found)
    computed = [found[name] for name in common if not is_given(name)]
    tolerance = Tolerance.for_arrays(computed, reference.description.terms, share)
    comparer = Comparer(expected, recipes(reference.description), {name: found[name] for name in common}, tolerance)
    missing = tuple(name for name in known if name not in found and not is_given(name))
    cancelled = tuple(name for name in common if name in _cancelled(reference.description))
    return ComparisonReport(tuple(comparer.results()), missing, unknown, tolerance, cancelled)


def shared(expected: Mapping[str, object], found: Mapping[str, object]) -> tuple[list[str], dict[str, str | None]]:
    """Return the names that both have, in the first one's order, and what the second has besides, with what was meant.

    Raises DataError where they share none.
    """
    common = [name for name in expected if name in found]
    if not common:
        raise DataError(f"nothing to compare: there is {_listed(found)}; what is known is {_listed(expected)}")
    return common, {name: closest(name, expected) for name in found if name not in expected}


def _listed(names: Mapping[str, object]) -> str:
    shown = [*names][:4]
    return ", ".join(shown) + (", …" if len(names) > 4 else "") or "no array"


def _cancelled(description: Description) -> set[str]:
    """Return the gradients of biases that a batch norm takes away again."""
    inputs = [name for layer in description.layers for name in layer.inputs]
    norms = [layer for layer in description.layers if layer.type == BatchNorm.type]
    return {f"grad/{layer.inputs[0]}.b" for layer in norms if inputs.count(layer.inputs[0]) == 1}
