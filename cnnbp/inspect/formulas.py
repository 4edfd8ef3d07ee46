"""What each layer computes, and its part of the chain rule, as they are written on a blackboard.

A layer that is not in the table is shown by name: `A2 = mish(Z2)`, `∂L/∂Z2 = mish′ · ∂L/∂A2`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import NamedTuple

from cnnbp.arrays import format_shape
from cnnbp.inspect.symbols import Symbols, slope
from cnnbp.network import Node


@dataclass(frozen=True)
class Formula:
    """Templates over {x}, {dy} = ∂L/∂y, the layer's parameters by name and its options."""

    y: str
    dx: str
    parameters: Mapping[str, str] = field(default_factory=dict)


class Line(NamedTuple):
    """A formula with symbols filled in, and the tensors among them in the order of its factors."""

    text: str
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Lines:
    """What a node in its place computes: y, its part of ∂L/∂x, and ∂L/∂θ for each parameter."""

    y: Line
    dx: Line
    parameters: Mapping[str, Line]


FORMULAS: Mapping[str, Formula] = {
    "conv2d": Formula(
        "{x} ⋆ {W} + {b}",
        "full convolution of {dy} with {W}",
        {"W": "{x} ⋆ {dy}", "b": "sum of {dy} over its places"},
    ),
    "dense": Formula("{W} · {x} + {b}", "{W}ᵀ · {dy}", {"W": "{dy} · {x}ᵀ", "b": "{dy}"}),
    "maxpool2d": Formula(
        "largest of each {kernel} window of {x}", "{dy} routed to the first maximum of its window of {x}"
    ),
    "avgpool2d": Formula("mean of each {kernel} window of {x}", "{dy} shared evenly over its window"),
    "global_avgpool2d": Formula("mean of each channel of {x}", "{dy} shared evenly over its channel"),
    "relu": Formula("max({x}, 0)", "{dy} ⊙ [{x} > 0]"),
    "leaky_relu": Formula("{x} where {x} > 0, else {slope}·{x}", "{dy} ⊙ (1 where {x} > 0, else {slope})"),
    "elu": Formula("{x} where {x} > 0, else {alpha}(exp {x} − 1)", "{dy} ⊙ (1 where {x} > 0, else {y} + {alpha})"),
    "gelu": Formula("{x} ⊙ Φ({x}), Φ by tanh", "{dy} ⊙ gelu′({x})"),
    "silu": Formula("{x} ⊙ σ({x})", "{dy} ⊙ σ({x})(1 + {x}(1 − σ({x})))"),
    "sigmoid": Formula("σ({x})", "{dy} ⊙ {y}(1 − {y})"),
    "tanh": Formula("tanh({x})", "{dy} ⊙ (1 − {y}²)"),
    "batchnorm": Formula(
        "{gamma} x̂ + {beta}, x̂ = ({x} − μ)/√(σ² + ε) over the batch",
        "{gamma}/√(σ² + ε) ⊙ ({dy} − mean {dy} − x̂ ⊙ mean({dy} ⊙ x̂))",
        {"gamma": "sum of {dy} ⊙ x̂ over its places", "beta": "sum of {dy} over its places"},
    ),
    "groupnorm": Formula(
        "{gamma} x̂ + {beta}, x̂ = ({x} − μ)/√(σ² + ε) over {groups} groups of channels in each image",
        "(dx̂ − mean dx̂ − x̂ ⊙ mean(dx̂ ⊙ x̂))/√(σ² + ε), dx̂ = {gamma} ⊙ {dy}",
        {"gamma": "sum of {dy} ⊙ x̂ over its places", "beta": "sum of {dy} over its places"},
    ),
    "dropout": Formula("{x}, a share {p} of it dropped in training", "{dy}, dropped in the same places"),
    "flatten": Formula("{x}, one column for each image", "{dy}, back in the form of {form} (unflatten)"),
    "add": Formula("{left} + {right}", "{dy}, to both sides"),
}


def layer_formula(node: Node, symbols: Symbols) -> Lines:
    """Return a node's formulas with the symbols of its place in the network filled in."""
    kind = node.layer.type
    unknown = Formula(f"{kind}({{x}})", f"{kind}′ · {{dy}}")
    formula = FORMULAS.get(kind, unknown)
    tensors = _tensors(node, symbols)
    y = formula.y if "b" in tensors else formula.y.removesuffix(" + {b}")
    slopes = {name: formula.parameters.get(name, f"{{dy}} · ∂{{y}}/∂{{{name}}}") for name in node.parameter_specs}
    options = {**_options(node), **tensors, "form": tensors["x"]}
    return Lines(
        _line(y, tensors, options),
        _line(formula.dx, tensors, options),
        {name: _line(template, tensors, options) for name, template in slopes.items()},
    )


def _line(template: str, tensors: Mapping[str, str], options: Mapping[str, str]) -> Line:
    reads = [tensors[name] for _, name, _, _ in Formatter().parse(template) if name and name in tensors]
    return Line(template.format_map(options), tuple(dict.fromkeys(reads)))


def _options(node: Node) -> dict[str, str]:
    return {
        name: format_shape(value) if isinstance(value, tuple) else str(value)
        for name, value in node.layer.model_dump().items()
    }


def _tensors(node: Node, symbols: Symbols) -> dict[str, str]:
    y = symbols.values[node.index]
    left, right = symbols.values[node.inputs[0]], symbols.values[node.inputs[-1]]
    return {**symbols.parameters[node.name], "x": left, "left": left, "right": right, "y": y, "dy": slope(y)}
