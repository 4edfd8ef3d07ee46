"""Finding where the first NaN or infinity came from, by running the bad batch once more with everything kept."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cnnbp.arrays import Array
from cnnbp.data.batches import Batch
from cnnbp.errors import Diverged
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.rerun import Rerun
from cnnbp.training.state import TrainingState

Direction = Literal["forward", "backward", "update"]

_FILES_SHOWN = 5


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
        found = next(_bad_tensors(job, state, batch), None)
    files = tuple(job.datasets.train.images.names[index] for index in batch.indices)
    return TrainingDiverged(Divergence(state.epoch + 1, state.step + 1, loss, gradient_norm, lr, found, files))


def diagnose_validation(job: Job, state: TrainingState, validation: Measurement) -> TrainingDiverged:
    """Say which tensor of a validation with a bad loss went bad first."""
    places = np.flatnonzero(~np.isfinite(validation.losses))
    few = validation.subset.take(places[: job.batch_size])
    with np.errstate(all="ignore"):
        rerun = Rerun(job, state, next(job.inference_batches(few)).whole(), training=False)
        found = next(_bad_values(rerun), None)
    files = tuple(validation.subset.take(places).names)
    return TrainingDiverged(Divergence(state.epoch + 1, state.step, validation.loss, None, None, found, files))


def _bad_tensors(job: Job, state: TrainingState, batch: Batch) -> Iterator[BadTensor]:
    """Yield the bad tensors in the order in which they were made; bad parameters are the end of a good step."""
    for layer, tensors in state.parameters.tensors.items():
        for name, array in tensors.items():
            yield from _bad("update", layer, name, [array])
    rerun = Rerun(job, state, batch.whole())
    yield from _bad_values(rerun)
    for node in reversed(job.config.network.nodes):
        yield from _bad("backward", node.name, "∂L/∂output", rerun.slopes(node))
        for name, slope in rerun.backward(node).items():
            yield from _bad("backward", node.name, f"∂L/∂{name}", [slope])
    for layer, tensors in rerun.gradient().tensors.items():  # finite, but too long to be measured
        for name, slope in tensors.items():
            yield from _bad("backward", layer, f"(∂L/∂{name})²", [slope**2])


def _bad_values(rerun: Rerun) -> Iterator[BadTensor]:
    for node in rerun.job.config.network.nodes:
        yield from _bad("forward", node.name, "output", rerun.forward(node))
    yield from _bad("forward", "loss", "loss", rerun.turn())


def _bad(direction: Direction, layer: str, tensor: str, parts: Sequence[Array]) -> Iterator[BadTensor]:
    size = sum(part.size for part in parts)
    bad = size - sum(int(np.isfinite(part).sum()) for part in parts)
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
