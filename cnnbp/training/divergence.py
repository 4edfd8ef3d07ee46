"""Finding where the first NaN or infinity came from, by running the bad batch once more and looking on."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from cnnbp.arrays import Array
from cnnbp.data.batches import Batch
from cnnbp.engine import MicroBatch
from cnnbp.errors import Diverged
from cnnbp.fast import Operation, Planner, as_written
from cnnbp.network import Network, Node
from cnnbp.tape import Tape
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.state import TrainingState

Direction = Literal["forward", "backward", "update"]

_FILES_SHOWN = 5
_PLANNERS = (as_written, None)  # layer by layer; or else as training does it, which may overflow earlier


@dataclass(frozen=True)
class BadTensor:
    """The first tensor that is not finite, and how much of it."""

    direction: Direction
    layer: str
    tensor: str
    bad: int
    size: int


@dataclass(frozen=True)
class Divergence:
    """A step that went wrong, or images whose validation did. `epoch` and `step` count from 1.

    `files` are the images of the batch, or the validation images whose loss is not finite; there is no gradient then.
    """

    epoch: int
    step: int
    loss: float
    gradient_norm: float | None
    lr: float | None
    found: BadTensor | None
    files: tuple[str, ...]


class TrainingDiverged(Diverged):
    """Training met a NaN or an infinity; `divergence` says where."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__("\n".join(_message(divergence)))
        self.divergence = divergence


def diagnose(
    job: Job, state: TrainingState, batch: Batch, *, loss: float, gradient_norm: float, lr: float
) -> TrainingDiverged:
    """Say which tensor went bad first; `state` is that before the step, unless its parameters went bad last."""
    with np.errstate(all="ignore"):
        found = _first_of(_bad_tensors(job, state, batch.whole(), planner) for planner in _PLANNERS)
    files = tuple(job.datasets.train.images.names[index] for index in batch.indices)
    return TrainingDiverged(Divergence(state.epoch + 1, state.step + 1, loss, gradient_norm, lr, found, files))


def diagnose_validation(job: Job, state: TrainingState, validation: Measurement) -> TrainingDiverged:
    """Say which tensor of a validation with a bad loss went bad first."""
    places = np.flatnonzero(~np.isfinite(validation.losses))
    few = next(job.inference_batches(validation.subset.take(places[: job.batch_size]))).whole()
    with np.errstate(all="ignore"):
        found = _first_of(_bad_outputs(job, state, few, planner) for planner in _PLANNERS)
    files = tuple(validation.subset.take(places).names)
    return TrainingDiverged(Divergence(state.epoch + 1, state.step, validation.loss, None, None, found, files))


def _first_of(tries: Iterable[Iterator[BadTensor]]) -> BadTensor | None:
    return next(chain.from_iterable(tries), None)


def _bad_tensors(
    job: Job, state: TrainingState, batch: Sequence[MicroBatch], planner: Planner | None
) -> Iterator[BadTensor]:
    """Yield the bad tensors in the order in which they were made; bad parameters are the end of a good step."""
    for name, array in state.parameters.named():
        layer, tensor = name.split(".")
        yield from _bad("update", layer, tensor, array)
    seen = _Seen()
    result = job.engine.observe(seen, state.parameters, state.running_statistics, batch, state.step, planner)
    yield from seen.outputs(job.config.network)
    yield from _bad("forward", "loss", "loss", result.losses)
    for node in reversed(job.config.network.nodes):
        yield from seen.slope(node)
        for name, slope in result.gradient.of(node.name).items():
            yield from _bad("backward", node.name, f"∂L/∂{name}", slope)
    for name, slope in result.gradient.named():  # finite, but too long to be measured
        layer, tensor = name.split(".")
        yield from _bad("backward", layer, f"(∂L/∂{tensor})²", slope**2)


def _bad_outputs(
    job: Job, state: TrainingState, batch: Sequence[MicroBatch], planner: Planner | None
) -> Iterator[BadTensor]:
    seen = _Seen()
    result = job.engine.observe_inference(seen, state.parameters, state.running_statistics, batch, planner)
    yield from seen.outputs(job.config.network)
    yield from _bad("forward", "loss", "loss", result.losses)


class _Seen:
    """Counts the numbers of each output, and of each ∂L/∂output, over the micro-batches: how many are bad, and all."""

    def __init__(self) -> None:
        self._forward, self._backward = (defaultdict[int, Array](lambda: np.zeros(2, int)) for _ in range(2))

    def forward(self, tape: Tape, operation: Operation) -> None:
        self._forward[operation.output] += _count(tape.values[operation.output])

    def backward(self, tape: Tape, operation: Operation) -> None:
        self._backward[operation.output] += _count(tape.gradients[operation.output])

    def outputs(self, network: Network) -> Iterator[BadTensor]:
        """Yield the bad outputs, in the order of the nodes."""
        for node in network.nodes:
            yield from _if_bad("forward", node.name, "output", self._forward[node.index])

    def slope(self, node: Node) -> Iterator[BadTensor]:
        """Yield a node's ∂L/∂output, if it is bad."""
        yield from _if_bad("backward", node.name, "∂L/∂output", self._backward[node.index])


def _count(array: Array) -> Array:
    return np.array([array.size - np.count_nonzero(np.isfinite(array)), array.size])


def _bad(direction: Direction, layer: str, tensor: str, array: Array) -> Iterator[BadTensor]:
    yield from _if_bad(direction, layer, tensor, _count(array))


def _if_bad(direction: Direction, layer: str, tensor: str, counts: Array) -> Iterator[BadTensor]:
    bad, size = counts.tolist()
    if bad:
        yield BadTensor(direction, layer, tensor, bad, size)


def _message(divergence: Divergence) -> Iterator[str]:
    yield f"training diverged in epoch {divergence.epoch} at step {divergence.step}: {', '.join(_numbers(divergence))}"
    if divergence.found:
        yield f"  first bad tensor: {_described(divergence.found)}"
    files = ", ".join(map(repr, divergence.files[:_FILES_SHOWN]))
    more = len(divergence.files) - _FILES_SHOWN
    yield f"  images of the batch: {files}" + (f" and {more} more" if more > 0 else "")
    yield "  try a lower learning rate, a warmup or train.clip_norm"


def _numbers(divergence: Divergence) -> Iterable[str]:
    if divergence.gradient_norm is None:
        return [f"the validation loss is {divergence.loss:.4g}, though every training loss was finite"]
    return [
        f"the loss is {divergence.loss:.4g}",
        f"‖∂L/∂θ‖ {divergence.gradient_norm:.4g}",
        f"the learning rate {divergence.lr:.3g}",
    ]


def _described(bad: BadTensor) -> str:
    share = f"{bad.bad} of {bad.size} numbers are NaN or infinite"
    if bad.direction == "update":
        return f'parameter {bad.tensor} of "{bad.layer}", after the update ({share})'
    return f'{bad.tensor} of "{bad.layer}", {bad.direction} ({share})'
