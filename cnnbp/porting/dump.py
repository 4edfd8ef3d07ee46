"""One layer's tensors as another program has them: x, W, b and dy, and the y, dx, dW and db that it made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.errors import DataError
from cnnbp.layers import Layer
from cnnbp.layers.dropout import Dropout
from cnnbp.network import Node
from cnnbp.porting.compare import shared
from cnnbp.porting.comparer import Comparer, Expected
from cnnbp.porting.comparison import ComparisonReport
from cnnbp.porting.layouts import Axes, Layout, batch_last
from cnnbp.porting.recipes import Recipe, gradient_recipe, output_recipe
from cnnbp.porting.rounding import layer_scales
from cnnbp.porting.steps import Place
from cnnbp.porting.tensors import longest_sum, parameter_axes, value_axes
from cnnbp.porting.tolerance import Tolerance


def judge(
    layer: Layer, found: Mapping[str, Array], layout: Layout = Layout.CHWM, share: float | None = None
) -> ComparisonReport:
    """Hold y, dx, dW and db against what cnnbp makes of x, W, b and dy, in float64; not all of them need be there.

    Parameters have the layer's own names (batch norm: gamma and dgamma); a dropout layer that is on has a `mask`.
    Raises DataError for what is missing or does not fit, ShapeError for an input that the layer cannot take.
    """
    dump = _Dump.of(layer, found, layout)
    computed = {name: found[name] for name in ("y", *dump.gradients) if name in found}
    if not computed:
        raise DataError(f"there is nothing to judge: y, or dy and some of {', '.join(dump.gradients)}")
    expected = dump.expected(with_gradients=computed.keys() != {"y"})
    _, unknown = shared(expected, found)
    tolerance = Tolerance.for_arrays(computed.values(), dump.terms, share)
    comparer = Comparer(expected, dump.recipes, computed, tolerance)
    missing = tuple(name for name in expected if name not in found)
    return ComparisonReport(tuple(comparer.results()), missing, unknown, tolerance)


@dataclass(frozen=True, eq=False)
class _Dump:
    """A layer in its place; the axes and shapes of its tensors in cnnbp's own layout; what it reads."""

    place: Place
    axes: Mapping[str, Axes]
    shapes: Mapping[str, Shape]
    found: Mapping[str, Array]
    layout: Layout

    @classmethod
    def of(cls, layer: Layer, found: Mapping[str, Array], layout: Layout) -> "_Dump":
        x = found.get("x")
        if x is None or x.ndim < 2:
            there = ", ".join(found) or "nothing" if x is None else f"x of shape {format_shape(x.shape)}"
            raise DataError(f"a dump holds x, with an axis for the images; there is {there}")
        *sides, images = batch_last(x, layout.axes(value_axes((0,) * (x.ndim - 1)))).shape
        shape = tuple(sides)
        node = Node(0, layer, (-1,), (shape,), layer.output_shape(shape))
        specs = node.parameter_specs
        x_axes, y_axes = value_axes(shape), value_axes(node.output_shape)
        axes = {"x": x_axes, **{name: parameter_axes(node, name) for name in specs}, "mask": x_axes, "dy": y_axes}
        shapes = {"x": (*shape, images), **{name: spec.shape for name, spec in specs.items()}}
        shapes |= {"mask": shapes["x"], "dy": (*node.output_shape, images)}
        mask = "mask" if isinstance(layer, Dropout) and "mask" in found else None
        return cls(Place(node, ("x",), {name: name for name in specs}, mask, "dy"), axes, shapes, found, layout)

    @property
    def gradients(self) -> Sequence[str]:
        return ("dx", *(f"d{name}" for name in self.place.params))

    @property
    def terms(self) -> int:
        return longest_sum([self.place.node], self.shapes["x"][-1])

    @property
    def recipes(self) -> dict[str, Recipe]:
        return {"y": output_recipe(self.place)} | {name: gradient_recipe(self.place, name) for name in self.gradients}

    def expected(self, *, with_gradients: bool) -> dict[str, Expected]:
        """Return what the layer reads, and what it should give."""
        given = {name: self._given(name) for name in (*self.place.reads, *(["dy"] if with_gradients else []))}
        step = self.place.step(given.__getitem__)
        step = step.towards(given["dy"] if with_gradients else np.zeros(self.shapes["dy"]))
        scales, right = layer_scales(step), {"y": step.forward()[0], **(step.gradients() if with_gradients else {})}
        axes = {**self.axes, "y": self.axes["dy"], **{f"d{name}": axes for name, axes in self.axes.items()}}
        return {
            name: Expected(
                self.layout.arranged(array, axes[name]),
                self.layout.axes(axes[name]),
                scales.get(name, 0.0),
                name in given,
            )
            for name, array in (given | right).items()
        }

    def _given(self, name: str) -> Array:
        """Return what the layer reads in cnnbp's own layout. Raises DataError where it is missing or does not fit."""
        axes, array = self.layout.axes(self.axes[name]), self.found.get(name)
        layer = self.place.node.layer.type
        if array is None:
            hint = "; of a layer without one say bias: false" if name == "b" else ""
            raise DataError(f"the dump has no {name}, which {layer} reads{' backward' * (name == 'dy')}{hint}")
        sizes = dict(zip(self.axes[name], self.shapes[name], strict=True))
        needed = tuple(sizes[axis] for axis in axes)
        if array.shape != needed:
            wanted = f"{format_shape(needed)} ({', '.join(axes)}), for {layer} and this x"
            raise DataError(f"{name} has shape {format_shape(array.shape)}, it should be {wanted}")
        if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
            raise DataError(f"{name} holds numbers that are not real or not finite")
        return batch_last(array, axes).astype(bool if name == "mask" else np.float64)
