"""Finding where the first NaN or infinity came from, by running the bad batch once more with everything kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cnnbp.arrays import Arena, Array
from cnnbp.data.batches import Batch
from cnnbp.engine import MicroBatch
from cnnbp.errors import Diverged
from cnnbp.tape import Tape
from cnnbp.training.job import Job
from cnnbp.training.state import TrainingState

Direction = Literal["parameters", "forward", "backward"]

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
    """A step that could not be taken. `epoch` and `step` count from 1; `files` are the batch's images."""

    epoch: int
    step: int
    loss: float
    gradient_norm: float
    lr: float
    found: BadTensor | None
    files: tuple[str, ...]


class TrainingDiverged(Diverged):
    """Training met a NaN or an infinity; `divergence` says where."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__("\n".join(_message(divergence)))
        self.divergence = divergence


def diagnose(
    job: Job, state: TrainingState, batch: Batch, *, loss: float, gradient_norm: float, lr: float
) -> Divergence:
    """Return which tensor of the batch went bad first; `state` is that before the step.

    Where dropout is at work and the batch is cut, the second run drops other units and may find nothing.
    """
    images = job.datasets.train.images
    with np.errstate(all="ignore"):
        found = next(_bad_tensors(job, state, batch.whole()), None)
    files = tuple(images.names[index] for index in batch.indices)
    return Divergence(state.epoch + 1, state.step + 1, loss, gradient_norm, lr, found, files)


def _bad_tensors(job: Job, state: TrainingState, batch: Sequence[MicroBatch]) -> Iterator[BadTensor]:
    """Yield the bad tensors in the order in which they were made: parameters, values, their gradients."""
    for layer, tensors in state.parameters.tensors.items():
        for name, array in tensors.items():
            yield from _bad("parameters", layer, name, array)
    nodes, loss = job.config.network.nodes, job.engine.loss
    x = np.concatenate([micro_batch.x for micro_batch in batch], axis=-1)
    labels = np.concatenate([micro_batch.labels for micro_batch in batch])
    stream = (job.config.seed, state.step, 0)
    tape = Tape(
        job.config.network, state.parameters, state.running_statistics, x, Arena(), keep_everything=True, stream=stream
    )
    logits = tape.forward(nodes)
    for node in nodes:
        yield from _bad("forward", node.name, "output", tape.values[node.index])
    losses, cache = loss.forward(logits, labels)
    yield from _bad("forward", "loss", "loss", losses)
    tape.gradients[nodes[-1].index] = loss.backward(cache, len(labels))
    gradient = state.parameters.layout.zeros(state.parameters.vector.dtype)
    tape.backward(nodes, gradient)
    for node in reversed(nodes):
        yield from _bad("backward", node.name, "∂L/∂output", tape.gradients[node.index])
        for name, slope in gradient[node.name].items():
            yield from _bad("backward", node.name, f"∂L/∂{name}", slope)


def _bad(direction: Direction, layer: str, tensor: str, array: Array) -> Iterator[BadTensor]:
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        yield BadTensor(direction, layer, tensor, bad, array.size)


def _message(divergence: Divergence) -> Iterator[str]:
    yield (
        f"training diverged in epoch {divergence.epoch} at step {divergence.step}: the loss is {divergence.loss:.4g}, "
        f"‖∂L/∂θ‖ {divergence.gradient_norm:.4g}, the learning rate {divergence.lr:.3g}"
    )
    if divergence.found:
        yield f"  first bad tensor: {_described(divergence.found)}"
    files = ", ".join(map(repr, divergence.files[:_FILES_SHOWN]))
    more = len(divergence.files) - _FILES_SHOWN
    yield f"  images of the batch: {files}" + (f" and {more} more" if more > 0 else "")
    yield "  try a lower learning rate, a warmup or train.clip_norm"


def _described(bad: BadTensor) -> str:
    share = f"{bad.bad} of {bad.size} numbers are NaN or infinite"
    if bad.direction == "parameters":
        return f'parameter {bad.tensor} of "{bad.layer}", after the step before ({share})'
    return f'{bad.tensor} of "{bad.layer}", {bad.direction} ({share})'
