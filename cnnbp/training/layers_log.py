"""layers.csv of a run: for each epoch what its watched step did to each tensor, and what each layer gave."""

import csv
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from cnnbp.errors import CheckpointError
from cnnbp.files import opened, write_text
from cnnbp.training.loop import EpochEvent
from cnnbp.training.state import QUANTILES, Distribution

_NORMS = ("gradient_norm", "parameter_norm", "update_norm")
_QUANTILE_COLUMNS = tuple(f"q{round(100 * quantile):02}" for quantile in QUANTILES)
COLUMNS = ("epoch", "tensor", *_NORMS, "zeros", *_QUANTILE_COLUMNS)

LayerRow = Mapping[str, float | None]  # the columns after the tensor; None where there is no such number


@dataclass(frozen=True)
class LayersLog:
    """The file, by its path.

    A parameter has its norms, and the zeros and quantiles of its gradient; a layer, by its name, those of its output.
    """

    path: Path

    def start_from(self, epochs: int) -> None:
        """Keep what there is of the first epochs and nothing else; what cannot be read is left out."""
        kept = [row for row in self._rows() if 0 < int(row[0]) <= epochs]
        write_text(self.path, "".join(map(_line, [COLUMNS, *kept])))

    def append(self, event: EpochEvent) -> None:
        """Add an epoch. Raises CheckpointError where it cannot be written."""
        epoch = event.metrics.epoch
        rows = [
            (epoch, step.name, *(getattr(step, norm) for norm in _NORMS), *_numbers(step.gradient))
            for step in event.tensors
        ]
        rows += [(epoch, name, None, None, None, *_numbers(seen)) for name, seen in event.outputs]
        try:
            with opened(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as file:
                file.write("".join(map(_line, rows)).encode())
        except OSError as error:
            raise CheckpointError(f"cannot write {str(self.path)!r}: {error.strerror}") from error

    def by_tensor(self) -> dict[str, dict[int, LayerRow]]:
        """Return each tensor's rows by epoch, in the order of the file."""
        found: dict[str, dict[int, LayerRow]] = {}
        for epoch, tensor, *numbers in self._rows():
            values = [float(number) if number else None for number in numbers]
            found.setdefault(tensor, {})[int(epoch)] = dict(zip(COLUMNS[2:], values, strict=True))
        return found

    def _rows(self) -> list[list[str]]:
        rows: list[list[str]] = []
        with suppress(OSError, UnicodeDecodeError, csv.Error), opened(self.path) as file:
            rows = [row for row in csv.reader(file.read().decode().splitlines()) if _is_whole(row)]
        return rows


def _numbers(seen: Distribution | None) -> Sequence[float | None]:
    return (seen.zeros, *seen.quantiles) if seen else (None,) * (1 + len(QUANTILES))


def _line(row: Sequence[Any]) -> str:
    return ",".join("" if cell is None else str(cell) for cell in row) + "\n"


def _is_whole(row: Sequence[str]) -> bool:
    """Whether a line has not been cut off or changed by hand into something else."""
    if len(row) != len(COLUMNS) or not (row[0].isascii() and row[0].isdecimal()):
        return False
    try:
        return all(not cell or isfinite(float(cell)) for cell in row[2:])
    except ValueError:
        return False
