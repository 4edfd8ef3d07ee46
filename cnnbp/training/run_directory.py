"""The folder that a run leaves behind: what is in it, how it is made or found, and who may train in it."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from itertools import chain, count, islice
from math import isfinite
from pathlib import Path
from typing import Any

from cnnbp.arrays import Array
from cnnbp.config import Config, OwnCode, carried, dump_config, parse_config, text_of
from cnnbp.errors import CheckpointError, ConfigError
from cnnbp.files import PARTIAL, csv_cell, name_in, opened, write_text, written_whole
from cnnbp.training.datasets import Datasets
from cnnbp.training.layers_log import LayersLog
from cnnbp.training.loop import EpochEvent
from cnnbp.training.state import EpochMetrics
from cnnbp.training.summary import Summary

_SPLIT = "split.csv"
CHECKPOINTS = "checkpoints"
_SUMMARY = "summary.json"
_FINISHED = ("finished", "stopped early")
_IMPORTED = "imported"
_STARTED_WITH = {
    CHECKPOINTS,
    _IMPORTED,
    _SPLIT,
    "environment.json",
    "metrics.csv",
    "metrics.jsonl",
    "layers.csv",
    "config.yaml",
}

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
        rows = [{**asdict(metrics), **dict.fromkeys(_TIMES), **times.get(metrics.epoch, {})} for metrics in history]
        write_text(self.csv, _csv_line(COLUMNS) + "".join(map(_csv_row, rows)))
        write_text(self.jsonl, "".join(map(_json_row, rows)))

    def append(self, event: EpochEvent) -> None:
        """Add an epoch. Raises CheckpointError where it cannot be written."""
        row = {**asdict(event.metrics), "images_per_second": event.images_per_second, "seconds": event.seconds}
        for path, line in ((self.csv, _csv_row(row)), (self.jsonl, _json_row(row))):
            try:
                with opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as file:
                    file.write(line.encode())
            except OSError as error:
                raise CheckpointError(f"cannot write {str(path)!r}: {error.strerror}") from error

    def _times(self) -> dict[int, Row]:
        """Return the times by epoch, as far as they can be read; a line that was cut off in the middle says nothing."""
        times: dict[int, Row] = {}
        with suppress(OSError), opened(self.jsonl) as file:
            for line in file:
                with suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
                    row = json.loads(line)
                    times[row["epoch"]] = {name: float(row[name]) for name in _TIMES if isfinite(row[name])}
        return times


@dataclass(frozen=True)
class RunDirectory:
    """A run directory by its path."""

    path: Path

    @property
    def config(self) -> Path:
        """The complete configuration, which runs the job again."""
        return self.path / "config.yaml"

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.path / CHECKPOINTS / "last.npz"

    @property
    def best(self) -> Path:
        """The checkpoint of the best epoch."""
        return self.path / CHECKPOINTS / "best.npz"

    @property
    def metrics(self) -> MetricsLog:
        """A line for each epoch, in two formats."""
        return MetricsLog(self.path)

    @property
    def layers(self) -> LayersLog:
        """A line for each epoch and tensor."""
        return LayersLog(self.path / "layers.csv")

    @property
    def imported(self) -> Path:
        """Copies of the Python files that the configuration imports."""
        return self.path / _IMPORTED

    def write_config(self, config: Config) -> None:
        """Write config.yaml, after copies of what it imports."""
        files = [code for code in config.code if code.is_file]
        if files:
            self.imported.mkdir(exist_ok=True)
        for code in files:
            write_text(self.imported / code.name, code.source)
        names = {code.name: f"{_IMPORTED}/{code.name}" if code.is_file else code.name for code in config.code}
        write_text(self.config, dump_config(config.importing(names)))

    def read_config(self, codes: Sequence[OwnCode], overrides: Sequence[str] = ()) -> Config:
        """Read config.yaml; what it imports are these files, which a checkpoint carries.

        Raises CheckpointError where a copy of one says something else.
        """
        for code in codes:
            copy = self.imported / code.name
            if copy.is_file() and copy.read_bytes() != code.source.encode():
                raise CheckpointError(
                    f"{str(copy)!r} has changed: what the run was trained with has the SHA-256 {code.digest}"
                )
        return parse_config(text_of(self.config), str(self.config), overrides, carried(codes))

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a small file for other programs; NaN and infinities are null, for JSON has none."""
        write_text(self.path / name, json.dumps(_without_nan(content), indent=2) + "\n")

    def write_summary(self, summary: Summary) -> None:
        """Write summary.json."""
        self.write_json(_SUMMARY, asdict(summary))

    def finished_summary(self, epochs: int) -> dict[str, Any] | None:
        """Return summary.json if it tells the end of a run of this many epochs."""
        try:
            with opened(self.path / _SUMMARY) as file:
                summary = json.load(file)
            return summary if summary["status"] in _FINISHED and summary["epochs"] == epochs else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def write_split(self, datasets: Datasets) -> None:
        """Write split.csv: file, class and split of each image."""
        rows = (
            (csv_cell(file), csv_cell(datasets.classes[label]), split)
            for split, subset in datasets.splits.items()
            for file, label in zip(subset.names, subset.labels, strict=True)
        )
        self._write_csv(_SPLIT, chain([("file", "class", "split")], rows))

    def image_names(self) -> Iterator[str]:
        """Yield the names that split.csv lists, as far as it can be read."""
        with suppress(OSError, csv.Error, ValueError, RecursionError), opened(self.path / _SPLIT) as file:
            text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
            yield from (name_in(row[0]) for row in islice(csv.reader(text), 1, None) if row)

    def write_confusion(self, counts: Array, classes: Sequence[str]) -> None:
        """Write confusion.csv: counts (classes, classes), true classes down, predicted ones across."""
        names = [csv_cell(name) for name in classes]
        rows = [(name, *row) for name, row in zip(names, counts.tolist(), strict=True)]
        self._write_csv("confusion.csv", [("true \\ predicted", *names), *rows])

    def _write_csv(self, name: str, rows: Iterable[Sequence[object]]) -> None:
        with written_whole(self.path / name) as file:
            text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")  # as file names are decoded
            csv.writer(text, lineterminator="\n").writerows(rows)
            text.detach()


def existing_run_directory(path: Path) -> RunDirectory:
    """Return the run directory at `path`, or the one around a checkpoint file. Raises CheckpointError."""
    run = (run_directory_around(path) if path.is_file() else None) or RunDirectory(path)
    if not run.config.is_file():
        raise CheckpointError(f"{str(path)!r} is no run directory: there is no {run.config.name} in it")
    return run


def run_directory_around(checkpoint: Path) -> RunDirectory | None:
    """Return the run directory that a checkpoint file lies in, if it lies in one."""
    run = RunDirectory(checkpoint.parent.parent)
    return run if checkpoint.parent.name == CHECKPOINTS and run.config.is_file() else None


@contextmanager
def new_run_directory(wanted: Path | None, name: str) -> Iterator[RunDirectory]:
    """Make `wanted`, or the first of runs/NAME, runs/NAME-2, … that is free, and claim it.

    Raises ConfigError where `wanted` holds something already, CheckpointError where it cannot be made.
    """
    try:
        path = _first_free(Path("runs") / name) if wanted is None else _made(wanted)
    except OSError as error:
        raise CheckpointError(f"cannot make the run directory {error.filename!r}: {error.strerror}") from error
    with claimed(RunDirectory(path)) as directory:
        refuse_used(path)
        try:
            (path / CHECKPOINTS).mkdir(exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"cannot write into {str(path)!r}: {error.strerror}") from error
        yield directory


def refuse_used(path: Path) -> None:
    """Raise ConfigError unless a folder is free for a new run.

    It is where it is not there, is empty, or was given up before its config.yaml, the last file of a start.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise ConfigError(f"{str(path)!r} is no folder: choose another --run")
    names = {entry.name.removesuffix(PARTIAL) for entry in path.iterdir()}
    if RunDirectory(path).config.exists() or not names <= _STARTED_WITH:
        raise ConfigError(f"{str(path)!r} is there already: choose another --run, or go on with --resume {path}")


@contextmanager
def claimed(directory: RunDirectory) -> Iterator[RunDirectory]:
    """Keep other processes from training in a run directory for as long as this one does. Raises as `locked`."""
    with locked(directory.path):
        yield directory


@contextmanager
def locked(folder: Path) -> Iterator[tuple[int, ...]]:
    """Lock a folder; yields the file descriptors by which child processes that are given them hold the lock, too.

    The system forgets it with the last process that holds it. Raises CheckpointError where another one does.
    """
    if os.name != "posix":
        yield ()
        return
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CheckpointError(f"cannot open {str(folder)!r}: {error.strerror}") from error
    try:
        with suppress(OSError):  # some network disks have no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CheckpointError(f"another process is training in {str(folder)!r}") from error
        yield (descriptor,)
    finally:
        os.close(descriptor)


def _first_free(first: Path) -> Path:
    first.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = first if number == 1 else first.with_name(f"{first.name}-{number}")
        with suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError("numbers do not end")


def _made(path: Path) -> Path:
    refuse_used(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _csv_row(row: Row) -> str:
    return _csv_line([row[name] for name in COLUMNS])


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _json_row(row: Row) -> str:
    return json.dumps(_without_nan(row)) + "\n"


def _without_nan(value: Any) -> Any:
    match value:
        case float():
            return value if isfinite(value) else None
        case Mapping():
            return {key: _without_nan(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_nan(inner) for inner in value]
    return value
