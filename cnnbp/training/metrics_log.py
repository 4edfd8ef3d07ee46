"""metrics.csv and metrics.jsonl: a line for each epoch that is over."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from cnnbp.errors import CheckpointError
from cnnbp.training.files import write_text
from cnnbp.training.loop import EpochEvent
from cnnbp.training.metrics import EpochMetrics

_TIMES = ("images_per_second", "seconds")  # what differs between equal runs
COLUMNS = (*(field.name for field in fields(EpochMetrics)), *_TIMES)

Row = Mapping[str, Any]


class MetricsLog:
    """The two files in a folder, which always say the same."""

    def __init__(self, folder: Path) -> None:
        self.csv, self.jsonl = folder / "metrics.csv", folder / "metrics.jsonl"

    def start_from(self, history: Sequence[EpochMetrics]) -> None:
        """Write the epochs of a history and nothing else; times are kept where they are known."""
        times = self._times()
        rows = [{**asdict(metrics), **times.get(metrics.epoch, dict.fromkeys(_TIMES))} for metrics in history]
        write_text(self.csv, _csv_line(COLUMNS) + "".join(map(_csv_row, rows)))
        write_text(self.jsonl, "".join(map(_json_row, rows)))

    def append(self, event: EpochEvent) -> None:
        """Add an epoch. Raises CheckpointError where it cannot be written."""
        row = {**asdict(event.metrics), "images_per_second": event.images_per_second, "seconds": event.seconds}
        for path, line in ((self.csv, _csv_row(row)), (self.jsonl, _json_row(row))):
            try:
                with path.open("ab") as file:
                    file.write(line.encode())
            except OSError as error:
                raise CheckpointError(f"cannot write {str(path)!r}: {error.strerror}") from error

    def _times(self) -> dict[int, Row]:
        """Return the times by epoch; a line that was cut off in the middle says nothing."""
        times: dict[int, Row] = {}
        for line in self.jsonl.read_bytes().splitlines() if self.jsonl.exists() else ():
            try:
                row = json.loads(line)
                times[row["epoch"]] = {name: row[name] for name in _TIMES}
            except (ValueError, KeyError, TypeError):
                continue
        return times


def _csv_row(row: Row) -> str:
    return _csv_line([row[name] for name in COLUMNS])


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _json_row(row: Row) -> str:
    return json.dumps(row) + "\n"
