"""The folder that a run leaves behind, and where everything in it is."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

from cnnbp.arrays import Array
from cnnbp.config import Config, dump_config
from cnnbp.errors import CheckpointError
from cnnbp.training.datasets import Datasets
from cnnbp.training.environment import Environment
from cnnbp.training.files import write_text, written_whole
from cnnbp.training.metrics_log import MetricsLog
from cnnbp.training.summary import Summary

_SUMMARY = "summary.json"
CHECKPOINTS = "checkpoints"


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

    def write_config(self, config: Config) -> None:
        """Write config.yaml."""
        write_text(self.config, dump_config(config))

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a small file for other programs; NaN and infinities are null, for JSON has none."""
        write_text(self.path / name, json.dumps(_without_nan(content), indent=2) + "\n")

    def write_summary(self, summary: Summary) -> None:
        """Write summary.json."""
        self.write_json(_SUMMARY, asdict(summary))

    def finished_summary(self, epochs: int) -> dict[str, Any] | None:
        """Return summary.json if it tells the end of a run of this many epochs."""
        try:
            summary = json.loads((self.path / _SUMMARY).read_bytes())
            return summary if summary["status"] != "interrupted" and summary["epochs"] == epochs else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_environment(self, environment: Environment) -> None:
        """Write environment.json."""
        self.write_json("environment.json", asdict(environment))

    def write_split(self, datasets: Datasets) -> None:
        """Write split.csv: file, class and split of each image."""
        rows = (
            (file, datasets.classes[label], split)
            for split, subset in datasets.splits.items()
            for file, label in zip(subset.names, subset.labels, strict=True)
        )
        self._write_csv("split.csv", chain([("file", "class", "split")], rows))

    def write_confusion(self, counts: Array, classes: Sequence[str]) -> None:
        """Write confusion.csv: counts (classes, classes), true classes down, predicted ones across."""
        rows = [(name, *row) for name, row in zip(classes, counts.tolist(), strict=True)]
        self._write_csv("confusion.csv", [("true \\ predicted", *classes), *rows])

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


def _without_nan(value: Any) -> Any:
    match value:
        case float():
            return value if isfinite(value) else None
        case Mapping():
            return {key: _without_nan(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_nan(inner) for inner in value]
    return value
