"""The stations of the chain: every equation forward, every equation backward, and the update."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cnnbp.inspect.examine import Inspection
from cnnbp.inspect.step import ParameterStep, Step
from cnnbp.inspect.symbols import Symbols, slope
from cnnbp.network import INPUT, Network
from cnnbp.page.words import note_on

FORWARD, BACKWARD, PARAMETER = "forward", "backward", "parameter"


@dataclass(frozen=True)
class Station:
    """One equation: `symbol` = `formula`, of the tensors that it `reads`.

    `column` is the place of the value that it belongs to, X is 0. `share` says that the 1/M enters here.
    """

    symbol: str
    row: str
    column: int
    formula: str
    reads: tuple[str, ...]
    layer: str
    type: str
    note: str
    share: bool = False


def stations(inspection: Inspection, extra: Mapping[str, tuple[str, ...]]) -> list[Station]:
    """Return the stations in the order of the chain; `extra` are further symbols that a layer's equations read."""
    maker = _Maker(inspection, extra)
    return [*maker.forward(), *maker.backward()]


class _Maker:
    def __init__(self, inspection: Inspection, extra: Mapping[str, tuple[str, ...]]) -> None:
        self.inspection, self.extra = inspection, extra
        self.network: Network = inspection.record.model.network
        self.symbols: Symbols = inspection.symbols
        last = len(self.network.nodes)
        values = {self.symbols.values[index]: index + 1 for index in range(INPUT, last)}
        self.columns = {**values, self.symbols.output: last + 1, "L": last + 1 + self._has_activation}
        self.types = {node.name: node.layer.type for node in self.network.nodes}

    @property
    def _has_activation(self) -> bool:
        return any(step.symbol == self.symbols.output for step in self.inspection.forward)

    def forward(self) -> Iterator[Station]:
        for step in self.inspection.forward:
            if step.symbol != "Y":  # it is given, as the images are; the loss reads it
                yield self._station(step, FORWARD, self.columns[step.symbol])

    def backward(self) -> Iterator[Station]:
        shares = True  # the first equation holds the 1/M of the mean
        for step in self.inspection.backward:
            row = PARAMETER if isinstance(step, ParameterStep) else BACKWARD
            yield self._station(step, row, self._column(step), share=shares)
            shares = False

    def _column(self, step: Step) -> int:
        if isinstance(step, ParameterStep):
            return next(node.index for node in self.network.nodes if node.name == step.layer) + 1
        of, _, by = step.symbol.removeprefix("∂").partition("/∂")
        return self.columns[by if of == "L" else of]

    def _station(self, step: Step, row: str, column: int, *, share: bool = False) -> Station:
        layers = step.layer.split(", ") if step.layer else []
        kinds = [self.types[layer] for layer in layers]
        extra = [symbol for layer in layers for symbol in self.extra.get(f"{row} {layer}", ())]
        return Station(
            symbol=step.symbol,
            row=row,
            column=column,
            formula=f"Σₘ {step.formula}" if row == PARAMETER else step.formula,
            reads=tuple(dict.fromkeys([*step.reads, *extra])),
            layer=step.layer,
            type=", ".join(kinds),
            note=note_on(step.symbol, row, kinds),
            share=share,
        )


def is_gradient(symbol: str) -> bool:
    """Whether a station's tensor is a gradient of the loss, which a mistake in a backward pass can change."""
    return symbol.startswith(slope(""))
