"""The product of the path: ∂L/∂W1 = ∂L/∂A2 · ∂A2/∂Z2 · … · ∂Z1/∂W1, each factor a matrix."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from cnnbp.inspect.symbols import Symbols
from cnnbp.losses import Loss, MeanSquaredError
from cnnbp.network import INPUT, Network, Node


@dataclass(frozen=True)
class Factor:
    """∂of/∂by of one image, as a matrix: a row for each number of `of`, a column for each number of `by`."""

    of: str
    by: str
    rows: int
    columns: int


@dataclass(frozen=True)
class Fork:
    """Where a value reaches L on two ways: the products of both are added."""

    paths: tuple["Path", ...]


Path = tuple[Factor | Fork, ...]


def paths(network: Network, loss: Loss, symbols: Symbols) -> dict[str, Path]:
    """Return the path from L to every parameter and to X, by symbol, in the order in which backward finds them."""
    finder = _Finder(network, loss, symbols)
    found = {}
    for node in reversed(network.nodes):
        for name, symbol in symbols.parameters[node.name].items():
            size = prod(node.parameter_specs[name].shape)
            last = Factor(symbols.values[node.index], symbol, prod(node.output_shape), size)
            found[symbol] = (*finder.path(node.index), last)
    return {**found, symbols.values[INPUT]: tuple(finder.path(INPUT))}


def path_text(path: Path) -> str:
    """Write a path as a product: ∂L/∂A2 · ∂A2/∂Z2."""
    return " · ".join(_text(part) for part in path) or "1"


def _text(part: Factor | Fork) -> str:
    if isinstance(part, Factor):
        return f"∂{part.of}/∂{part.by}"
    return f"({' + '.join(path_text(path) for path in part.paths)})"


class _Finder:
    """Follows the network from its output down to a value."""

    def __init__(self, network: Network, loss: Loss, symbols: Symbols) -> None:
        self.network, self.loss, self.symbols = network, loss, symbols
        self.before = {INPUT: frozenset({INPUT})}  # for each value, itself and all that it is computed from
        for node in network.nodes:
            self.before[node.index] = frozenset({node.index}).union(*(self.before[value] for value in node.inputs))

    def path(self, value: int) -> Iterator[Factor | Fork]:
        """Yield the factors from L to a value."""
        last, size = len(self.network.nodes) - 1, prod(self.network.output_shape)
        z, a = self.symbols.values[last], self.symbols.output
        if isinstance(self.loss, MeanSquaredError):
            yield Factor("L", z, 1, size)
        else:
            yield Factor("L", a, 1, size)
            yield Factor(a, z, size, size)
        yield from self._between(last, value)

    def _between(self, top: int, bottom: int) -> Iterator[Factor | Fork]:
        while top != bottom:
            node = self.network.nodes[top]
            ways = [value for value in node.inputs if bottom in self.before[value]]
            if len(ways) == 1:
                yield self._factor(node, ways[0])
                top = ways[0]
            else:
                left, right = ways
                top = max(self.before[left] & self.before[right])
                yield Fork(tuple((self._factor(node, way), *self._between(way, top)) for way in (left, right)))

    def _factor(self, node: Node, value: int) -> Factor:
        place = node.inputs.index(value)
        of, by = self.symbols.values[node.index], self.symbols.values[value]
        return Factor(of, by, prod(node.output_shape), prod(node.input_shapes[place]))
