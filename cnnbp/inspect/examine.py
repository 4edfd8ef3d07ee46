"""Everything that there is to see of one batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from cnnbp.display import Shown
from cnnbp.engine import one_blas_thread
from cnnbp.inspect.curvature import Curvature, curvature_is_quick, largest_curvature
from cnnbp.inspect.images import Images
from cnnbp.inspect.kinks import DeadUnits, TiedWindows, dead_units, tied_windows
from cnnbp.inspect.noise import Agreement, Noise, Shares, by_class, measure_shares, shares_are_quick
from cnnbp.inspect.record import Model, Record, image_gradients, record_batch
from cnnbp.inspect.statistics import (
    ImageStatistics,
    ParameterStatistics,
    TensorStatistics,
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
from cnnbp.parameters import Parameters

SMALL = 128  # numbers of one image's forward pass and of all parameters: the lecture's network has 94


@dataclass(frozen=True, eq=False, repr=False)
class Inspection(Shown):
    """One batch under the microscope: the chain forward and backward, then parameters, images, kinks and an update.

    `forward` and `backward` hold the numbers, the latter with the parameters' gradients where they are found; the
    chains sum up all but those, which are in `parameters`. `noise`, `agreement` and `curvature` are None where they
    would take long, and the first two for one image.
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
    noise: Noise | None
    agreement: Agreement | None
    curvature: Curvature | None
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
    thorough: bool = False,
) -> Inspection:
    """Run one batch forward, backward, image by image, and through one update; all in float64.

    The images' shares of the parameters' gradients are kept for a small network, and up to `most_shares` numbers.
    `thorough` finds what takes long, too: the largest curvature, and the shares where batch norm couples the images.
    """
    with one_blas_thread():  # others take longer to wake than most of these products take
        return _inspected(model, batch, optimizer, dropout, seed, most_shares, thorough)


def _inspected(
    model: Model, batch: Images, optimizer: Optimizer, dropout: bool, seed: int, most_shares: int, thorough: bool
) -> Inspection:
    record = record_batch(model, batch.x, batch.labels, dropout=dropout, seed=seed)
    symbols = derive_symbols(model.network)
    few = is_small(model.network) or len(batch.labels) * model.network.layout.size <= most_shares
    kept = list(image_gradients(record)) if few and not record.couples_images else None
    subject = model.network, len(batch.labels)
    shares = _shares(record, kept) if thorough or shares_are_quick(*subject) else None
    bends = largest_curvature(record, seed) if thorough or curvature_is_quick(*subject) else None
    forward, backward = forward_steps(record, symbols), backward_steps(record, symbols, kept)
    return Inspection(
        batch=batch,
        record=record,
        symbols=symbols,
        forward=tuple(forward),
        backward=tuple(backward),
        forward_chain=_chain(forward),
        backward_chain=_chain(backward),
        parameters=tuple(parameter_statistics(record, symbols, shares)),
        images=tuple(image_statistics(record, batch.names, shares)),
        dead_units=tuple(dead_units(record)),
        tied_windows=tuple(tied_windows(record)),
        noise=shares.noise if shares else None,
        agreement=shares.agreement if shares else None,
        curvature=bends,
        update=update_once(record, optimizer),
    )


def _shares(record: Record, kept: Sequence[Parameters] | None) -> Shares:
    order = by_class(record.labels)
    return measure_shares(record, [kept[m] for m in order] if kept else image_gradients(record, order))


def _chain(steps: Sequence[Step]) -> tuple[TensorStatistics, ...]:
    return tuple(tensor_statistics(step) for step in steps if not isinstance(step, ParameterStep))
