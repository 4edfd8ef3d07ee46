"""What the tensors of a network are called in formulas: X, Z1, A1, F, f, Z2, as on the blackboard.

A layer says its letter. Z and A carry the number of the weighted layer that they come from, W and b with them; the
other letters only where there are several. A name that is taken gets a prime, a second, a third, and then ′4, ′5, …
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cnnbp.network import INPUT, Network, Node

_ALWAYS_NUMBERED = ("Z", "A")
_MOST_PRIMES = 3
_GREEK = {"gamma": "γ", "beta": "β"}


@dataclass(frozen=True)
class Symbols:
    """`values[i]` is node i's output (INPUT: the images), `parameters["conv1"]["W"]` is W1.

    `output` is what the loss makes of the last value before it compares: A2 = σ(Z2).
    """

    values: Mapping[int, str]
    parameters: Mapping[str, Mapping[str, str]]
    output: str


def derive_symbols(network: Network) -> Symbols:
    """Name every tensor of a network; no name is given twice."""
    values, numbers, parameters = {INPUT: "X"}, {INPUT: 0}, {}
    letters = Counter(node.layer.symbol for node in network.nodes)
    taken: Counter[str] = Counter()
    weighted = 0
    for node in network.nodes:
        weighted += _is_weighted(node)
        numbers[node.index] = weighted if _is_weighted(node) else numbers[node.inputs[0]]
        letter = node.layer.symbol
        numbered = letter in _ALWAYS_NUMBERED or letters[letter] > 1
        values[node.index] = _untaken(f"{letter}{numbers[node.index]}" if numbered else letter, taken)
        suffix = values[node.index][len(letter) :]
        parameters[node.name] = {name: f"{_GREEK.get(name, name)}{suffix}" for name in node.parameter_specs}
    return Symbols(values, parameters, _untaken(f"A{numbers[len(network.nodes) - 1]}", taken))


def slope(symbol: str) -> str:
    """Write the gradient of the loss in a tensor: ∂L/∂W1."""
    return f"∂L/∂{symbol}"


def _is_weighted(node: Node) -> bool:
    """Whether the layer multiplies with weights: what networks are counted by."""
    return any(spec.decays for spec in node.parameter_specs.values())


def _untaken(name: str, taken: Counter[str]) -> str:
    """Return a name with as many primes as it has been given before."""
    times = taken[name]
    taken[name] += 1
    return name + ("′" * times if times <= _MOST_PRIMES else f"′{times}")
