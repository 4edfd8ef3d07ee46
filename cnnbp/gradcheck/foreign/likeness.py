"""Functions that are meant to be one of cnnbp's layers, in a layout of their own: they are tried as the layer is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.errors import ConfigError
from cnnbp.gradcheck.comparison import Finding
from cnnbp.gradcheck.diagnosis import Pattern, Trial, layer_hint, pattern_of
from cnnbp.gradcheck.diagnosis.reading import axes_of, sizes_of
from cnnbp.gradcheck.foreign.examination import Together
from cnnbp.gradcheck.foreign.observation import Observation
from cnnbp.gradcheck.foreign.pair import Pair, Ran
from cnnbp.layers import Context, Layer
from cnnbp.layers.base import Gradients, Params
from cnnbp.network import INPUT, Node

Layout = Literal["nchw", "nhwc", "chwm"]

# For each layout, which of its axes come where in (C, H, W, M), and in a kernel's (filters, channels, rows, columns).
MAPS: Mapping[str, tuple[int, ...]] = {"nchw": (1, 2, 3, 0), "nhwc": (3, 1, 2, 0), "chwm": (0, 1, 2, 3)}
KERNELS: Mapping[str, tuple[int, ...]] = {"nchw": (0, 1, 2, 3), "nhwc": (3, 2, 0, 1), "chwm": (0, 1, 2, 3)}


@dataclass(frozen=True)
class Likeness:
    """`pair` is meant to be `node`'s layer; `axes` leads from each of its arrays, and from y, to cnnbp's own layout."""

    pair: Pair
    node: Node
    names: Mapping[str, str]  # what the layer calls x and its parameters → what the pair does
    axes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, pair: Pair, layer: Layer, layout: Layout) -> "Likeness":
        """Match arrays with the layer's x and parameters, in their order. Raises ConfigError where they do not fit."""
        first, *rest = (pair.names[i] for i in pair.variables)
        x, named = pair.array(first), layer.model_copy(update={"name": layer.name or pair.name})
        x_axes = _value_axes(x.ndim, layout)
        shape = x.transpose(x_axes).shape[:-1]
        node = Node(0, named, (INPUT,), (shape,), named.output_shape(shape))
        if len(rest) != len(node.parameter_specs):
            needed = ", ".join(["x", *node.parameter_specs])
            raise ConfigError(f"{pair.name} has {', '.join([first, *rest])}; {layer.type} has {needed}")
        axes = {"x": x_axes, "y": _value_axes(len(node.output_shape) + 1, layout)}
        for name, given in zip(node.parameter_specs, rest, strict=True):
            axes[name] = _parameter_axes(given, pair.array(given).shape, node.parameter_specs[name].shape, layout)
        return cls(pair, node, {"x": first, **dict(zip(node.parameter_specs, rest, strict=True))}, axes)

    def hint(self, seen: Observation, findings: list[Finding]) -> str | None:
        """Return what is wrong, as for the layer itself, in the pair's own names."""
        ours = {mine: name for name, mine in self.names.items()}
        patterns = {f"d{ours[f.claim.name]}": self._pattern(ours[f.claim.name], f) for f in findings}
        hint = layer_hint(self.trial(seen), patterns)
        return None if hint is None else _renamed(hint, self.names)

    def difference(self, seen: Observation) -> str | None:
        """Say if forward is not the layer's."""
        trial = self.trial(seen)
        y = self.node.layer.forward(trial.params, trial.x, trial.ctx)[0]
        its = self.from_theirs("y", seen.y)
        if y.shape != its.shape:
            theirs, ours = format_shape(its.shape[:-1]), format_shape(y.shape[:-1])
            return f"forward is not {self.node.layer.type}'s: it gives {theirs}, not {ours}"
        off = float(np.abs(y - its).max(initial=0))
        if off <= 1e3 * seen.coarsest * max(float(np.abs(y).max(initial=0)), 1.0):
            return None
        return f"forward is not {self.node.layer.type}'s: it is off by up to {off:.2g}; hints take it for one"

    def trial(self, seen: Observation) -> Trial:
        """Return the functions as a layer at the point where they were wrong."""
        params = {name: self.from_theirs(name, self._given(name)) for name in self.node.parameter_specs}
        x, dy = self.from_theirs("x", self._given("x")), self.from_theirs("y", seen.upstream)
        return Trial(self._as_layer(), params, (x,), dy, Context(training=True, stream=(0, 0, 0, 0)))

    def from_theirs(self, name: str, array: Array) -> Array:
        """Return an array in cnnbp's layout."""
        return np.ascontiguousarray(array.transpose(self.axes[name]))

    def to_theirs(self, name: str, array: Array) -> Array:
        """Return an array in the pair's layout."""
        return np.ascontiguousarray(array.transpose(np.argsort(self.axes[name])))

    def _given(self, name: str) -> Array:
        return self.pair.array(self.names[name])

    def _pattern(self, name: str, finding: Finding) -> Pattern:
        pattern = pattern_of(finding)
        if isinstance(finding.direction, Together):
            pattern.wrong.reshape(-1)[finding.direction.wrong] = True
        arrays = {field: getattr(pattern, field) for field in ("analytic", "numeric", "wrong", "kink", "bound")}
        arrays = {field: array.transpose(self.axes[name]) for field, array in arrays.items()}
        parameter_of = None if name == "x" else self.node
        sizes = {"M": self._given("x").transpose(self.axes["x"]).shape[-1]} | sizes_of(self.node)
        return replace(pattern, **arrays, axes=axes_of(parameter_of, pattern.analytic.ndim), sizes=sizes)

    def _as_layer(self) -> Layer:
        likeness, base = self, type(self.node.layer)

        class Likened(base):  # type: ignore[misc, valid-type]
            def forward(self, params: Params, x: Any, ctx: Context) -> tuple[Array, Any]:
                return likeness._forward({"x": x, **params})

            def backward(self, params: Params, cache: Any, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
                gradients = likeness._backward(cache, dy)
                return gradients.pop("x"), gradients

        likened: Layer = Likened.model_construct(**dict(self.node.layer))
        return likened

    def _forward(self, arrays: Mapping[str, Array]) -> tuple[Array, Any]:
        moved = {self.pair.names.index(self.names[name]): self.to_theirs(name, array) for name, array in arrays.items()}
        ran = self.pair.run(moved)
        return self.from_theirs("y", ran.y), ran

    def _backward(self, ran: Ran, dy: Array) -> dict[str, Array]:
        found = self.pair.gradients(self.to_theirs("y", dy).astype(ran.y.dtype), ran.cache)
        given = {name: found[self.names[name]] for name in self.names}
        return {name: self.from_theirs(name, array) for name, array in given.items() if array is not None}


def _value_axes(ndim: int, layout: Layout) -> tuple[int, ...]:
    if ndim == 4:
        return MAPS[layout]
    return tuple(range(ndim)) if layout == "chwm" or ndim < 2 else (*range(1, ndim), 0)


def _parameter_axes(name: str, given: Shape, needed: Shape, layout: Layout) -> tuple[int, ...]:
    """Return the order of axes that makes one shape of the other: the layout's, as they are, or backwards."""
    plain = tuple(range(len(given)))
    for axes in (KERNELS[layout] if len(given) == 4 else plain, plain, plain[::-1]):
        if tuple(given[axis] for axis in axes) == needed:
            return axes
    raise ConfigError(
        f"{name} has shape {format_shape(given)}, the layer that it should be like needs {format_shape(needed)}"
    )


def _renamed(hint: str, names: Mapping[str, str]) -> str:
    """Call x and parameters what the pair calls them, and their gradients."""
    words = {f"{d}{mine}": f"{d}{its}" for mine, its in names.items() for d in ("", "d")}
    return re.sub(r"[A-Za-z]\w*", lambda word: words.get(word[0], word[0]), hint)
