"""Which of an inspected batch's steps are to be seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnnbp.errors import ConfigError
from cnnbp.inspect.examine import Inspection, is_small
from cnnbp.inspect.symbols import slope
from cnnbp.names import did_you_mean

_PARAMETERS = {"gamma": "γ", "beta": "β"}


@dataclass(frozen=True)
class Selection:
    """The symbols that are shown, the image whose maps are, and of many maps or filters the one."""

    symbols: frozenset[str]
    image: int
    channel: int = 0


def choose_steps(
    inspection: Inspection,
    layers: Sequence[str] = (),
    tensors: Sequence[str] = (),
    image: int | None = None,
    channel: int = 0,
) -> Selection:
    """Choose by layer and by tensor ("Z1", "dW2"), by default everything; `image` counts from 1.

    Without `image` it is the one with the largest loss. Raises ConfigError for names that are not there.
    """
    known = _known(inspection)
    if not (layers or tensors or is_small(inspection.record.model.network)):
        raise ConfigError("--image and --filter choose among the numbers of --layer NAME or --only TENSOR: add one")
    chosen = {_symbol(name, known) for name in tensors}
    for layer in layers:
        chosen |= _around(layer, inspection)
    images = len(inspection.images)
    if image is not None and image > images:
        raise ConfigError(f"--image {image}: the batch has {images}")
    index = inspection.images[0].index if image is None else image - 1
    symbols = frozenset(chosen or known)
    if channel:
        _require_channel(channel, symbols, inspection)
    return Selection(symbols, index, channel)


def _require_channel(channel: int, symbols: frozenset[str], inspection: Inspection) -> None:
    """Raise ConfigError unless some chosen tensor has that many maps, (C, H, W, M), or filters, (F, C, H, W)."""
    parameters = inspection.record.tape.params.tensors
    shapes = {step.symbol: step.value.shape for step in (*inspection.forward, *inspection.backward)}
    shapes |= {
        symbol: parameters[layer][name].shape
        for layer, names in inspection.symbols.parameters.items()
        for name, symbol in names.items()
    }
    most = max((shape[0] for symbol, shape in shapes.items() if symbol in symbols and len(shape) == 4), default=0)
    if channel < most:
        return
    if not most:
        raise ConfigError(f"--filter {channel}: what is shown has no maps or filters")
    there = f"are {most} maps or filters, 0 to {most - 1}" if most > 1 else "is 1 map or filter, 0"
    raise ConfigError(f"--filter {channel}: of what is shown there {there}")


def _known(inspection: Inspection) -> list[str]:
    parameters = (symbol for names in inspection.symbols.parameters.values() for symbol in names.values())
    return [*(step.symbol for step in (*inspection.forward, *inspection.backward)), *parameters]


def _symbol(name: str, known: Sequence[str]) -> str:
    """Return what is meant by a name as one types it: dW2, dL/dW2, dA2/dZ2, gamma1."""
    plain = name.replace("'", "′")
    for word, letter in _PARAMETERS.items():
        plain = plain.replace(word, letter)
    over, _, by = plain.partition("/")
    spellings = [plain, slope(plain[1:]), f"∂{over[1:]}/∂{by[1:]}"]
    for spelling in spellings:
        if spelling in known:
            return spelling
    raise ConfigError(f"no tensor {name!r}; {did_you_mean(name, [_typed(symbol) for symbol in known])}")


def _typed(symbol: str) -> str:
    """Write a symbol as it is typed: ∂L/∂W2 as dW2."""
    return symbol.removeprefix("∂L/").replace("∂", "d").replace("′", "'")


def _around(layer: str, inspection: Inspection) -> set[str]:
    """Return all that a layer reads and writes, forward and backward."""
    record, symbols = inspection.record, inspection.symbols
    nodes = {node.name: node for node in record.model.network.nodes}
    if layer not in nodes:
        raise ConfigError(f"no layer {layer!r}; {did_you_mean(layer, list(nodes))}")
    node = nodes[layer]
    around = [symbols.values[value] for value in (*node.inputs, node.index)] + [*symbols.parameters[layer].values()]
    return {*around, *map(slope, around)}
