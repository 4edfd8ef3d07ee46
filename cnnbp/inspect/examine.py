"""Everything that there is to see of one batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from cnnbp.display import Shown
from cnnbp.inspect.images import Images
from cnnbp.inspect.kinks import DeadUnits, TiedWindows, dead_units, tied_windows
from cnnbp.inspect.record import Model, Record, image_gradients, record_batch
from cnnbp.inspect.statistics import (
    ImageStatistics,
    ParameterStatistics,
    TensorStatistics,
    image_norms,
    image_statistics,
    parameter_statistics,
    tensor_statistics,
)
from cnnbp.inspect.step import ParameterStep, Step
from cnnbp.inspect.steps import backward_steps, forward_steps
from cnnbp.inspect.symbols import Symbols, derive_symbols
from cnnbp.inspect.update import Update, update_once
from cnnbp.network import Network
from cnnbp.optimizers import Optimizer

SMALL = 128  # numbers of one image's forward pass and of all parameters: the lecture's network has 94


@dataclass(frozen=True, eq=False, repr=False)
class Inspection(Shown):
    """One batch under the microscope: the chain forward and backward, then parameters, images, kinks and an update.

    `forward` and `backward` hold the numbers, the latter with the parameters' gradients where they are found; the
    chains sum up all but those, which are in `parameters`.
    """

    batch: Images
    record: Record
    symbols: Symbols
    forward: tuple[Step, ...]
    backward: tuple[Step, ...]
    forward_chain: tuple[TensorStatistics, ...]
    backward_chain: tuple[TensorStatistics, ...]
    parameters: tuple[ParameterStatistics, ...]
    images: tuple[ImageStatistics, ...]
    dead_units: tuple[DeadUnits, ...]
    tied_windows: tuple[TiedWindows, ...]
    update: Update

    def __repr__(self) -> str:
        return f"<Inspection of {len(self.images)} images, loss {self.record.loss:.4g}>"


def is_small(network: Network) -> bool:
    """Whether a network's numbers can be looked at one by one."""
    values = prod(network.input_shape) + sum(prod(node.output_shape) for node in network.nodes)
    return values + network.layout.size <= SMALL


def inspect_batch(
    model: Model,
    batch: Images,
    optimizer: Optimizer,
    *,
    dropout: bool = False,
    seed: int = 0,
    most_shares: int = 0,
) -> Inspection:
    """Run one batch forward, backward, image by image, and through one update; all in float64.

    The images' shares of the parameters' gradients are kept for a small network, and up to `most_shares` numbers.
    """
    record = record_batch(model, batch.x, batch.labels, dropout=dropout, seed=seed)
    symbols = derive_symbols(model.network)
    shares = None if record.couples_images else image_gradients(record)
    few = is_small(model.network) or len(batch.labels) * model.network.layout.size <= most_shares
    kept = list(shares) if shares and few else None
    norms = image_norms(kept or shares) if shares else None
    forward, backward = forward_steps(record, symbols), backward_steps(record, symbols, kept)
    return Inspection(
        batch=batch,
        record=record,
        symbols=symbols,
        forward=tuple(forward),
        backward=tuple(backward),
        forward_chain=_chain(forward),
        backward_chain=_chain(backward),
        parameters=tuple(parameter_statistics(record, symbols, norms)),
        images=tuple(image_statistics(record, batch.names, norms)),
        dead_units=tuple(dead_units(record)),
        tied_windows=tuple(tied_windows(record)),
        update=update_once(record, optimizer),
    )


def _chain(steps: Sequence[Step]) -> tuple[TensorStatistics, ...]:
    return tuple(tensor_statistics(step) for step in steps if not isinstance(step, ParameterStep))
