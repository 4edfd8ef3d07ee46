"""Parameters that training starts from, out of another run or a file, in the place of drawn ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnbp.arrays import Array, format_shape
from cnnbp.errors import DataError
from cnnbp.export.weights import weights
from cnnbp.training.checkpoint import Checkpoint
from cnnbp.training.state import Average, TrainingState

_PREFIX = "param/"  # what grads --save puts before a parameter's name


@dataclass(frozen=True)
class Source:
    """Tensors by name, as conv1.W and batchnorm1.running_mean; `checkpoint` where they are from a run."""

    path: Path
    tensors: Mapping[str, Array]
    checkpoint: Checkpoint | None = None

    @classmethod
    def of_run(cls, path: Path, checkpoint: Checkpoint) -> "Source":
        """Return what a run has learned."""
        return cls(path, weights(checkpoint), checkpoint)

    @classmethod
    def of_tensors(cls, path: Path, tensors: Mapping[str, Array]) -> "Source":
        """Return what a file holds: its arrays under `param/` where there are such, else all of LAYER.TENSOR."""
        saved = {name.removeprefix(_PREFIX): array for name, array in tensors.items() if name.startswith(_PREFIX)}
        return cls(path, {name: array for name, array in (saved or tensors).items() if "." in name})


@dataclass(frozen=True)
class Start:
    """What was taken from a source, what of the network was not in it, and what in it did not fit, with the reason."""

    source: Source
    taken: tuple[str, ...]
    drawn: tuple[str, ...]
    unused: tuple[str, ...]


def start_from(state: TrainingState, source: Source) -> Start:
    """Write into the state every tensor of the source that has a place of its name and shape there.

    Raises DataError where there is none at all, and for numbers that are not finite.
    """
    places = dict(state.parameters.named())
    for layer, statistics in state.running_statistics.items():
        places |= {f"{layer}.{name}": array for name, array in statistics.items()}
    fitting = {name: array for name, array in source.tensors.items() if _misfit(name, array, places) is None}
    if not fitting:
        raise DataError(f"nothing in {str(source.path)!r} has the name and shape of a tensor of the network")
    for name, array in fitting.items():
        if not np.isfinite(array).all():
            raise DataError(f"{name} in {str(source.path)!r} holds numbers that are not finite")
        places[name][...] = array
    if state.average:
        state.average = Average.of(state.parameters, state.running_statistics)
    unused = (
        f"{name}: {_misfit(name, array, places)}" for name, array in source.tensors.items() if name not in fitting
    )
    return Start(source, tuple(fitting), tuple(name for name in places if name not in fitting), tuple(unused))


def _misfit(name: str, array: Array, places: Mapping[str, Array]) -> str | None:
    if name not in places:
        return "the network has none of that name"
    if array.shape != places[name].shape:
        return f"{format_shape(array.shape)}, and here {format_shape(places[name].shape)}"
    return None
