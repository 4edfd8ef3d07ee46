"""Run directories as they lie on the disk: options, epochs and outcome, read without loading a parameter."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from cnnbp.config import load_config, read_plain
from cnnbp.errors import CheckpointError, CnnbpError
from cnnbp.files import opened
from cnnbp.training.resume import flat, options_of
from cnnbp.training.run_directory import CHECKPOINTS, RunDirectory
from cnnbp.training.state import EpochMetrics, best_epoch
from cnnbp.training.summary import Evaluation

_EPOCH, _EVALUATION = TypeAdapter(EpochMetrics), TypeAdapter(Evaluation)
_UNFINISHED = "unfinished"  # it runs still, or was killed


@dataclass(frozen=True)
class RunRecord:
    """One run directory. `ended` is in seconds since 1970; `evaluation` is that of the best epoch, at the end."""

    path: str
    status: str
    options: Mapping[str, Any]
    history: tuple[EpochMetrics, ...]
    evaluation: Evaluation | None
    ended: float

    @property
    def best(self) -> EpochMetrics | None:
        """The epoch whose checkpoint is kept as the best."""
        return best_epoch(self.history, self.options.get("train.keep", "loss"))

    @property
    def score(self) -> float | None:
        """The best epoch's accuracy on the validation images; without any, on the training images."""
        return self.best.monitored_accuracy if self.best else None


def read_record(path: Path) -> RunRecord:
    """Read a run directory. Raises CheckpointError where its configuration cannot be read."""
    directory = RunDirectory(path)
    try:
        options = _options(directory)
        files = [file for file in path.iterdir() if file.is_file()]
        ended = max(file.stat().st_mtime for file in files)
    except CnnbpError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read as a run: {error}") from error
    except OSError as error:
        raise CheckpointError(f"cannot read {str(path)!r}: {error.strerror}") from error
    status, evaluation = _outcome(path)
    return RunRecord(str(path), status, options, tuple(_epochs(directory.metrics.jsonl)), evaluation, ended)


def _options(directory: RunDirectory) -> Mapping[str, Any]:
    """Return a run's options; a configuration that imports layers is not checked, as that would run them."""
    plain = read_plain(directory.config)
    if not isinstance(plain, dict) or not plain.get("import"):
        return options_of(load_config(directory.config))
    data = {key: value for key, value in (plain.get("data") or {}).items() if key != "path"}
    return dict(flat({**plain, "data": data}))


def find_runs(root: Path) -> list[Path]:
    """Return every run directory at or below `root`, in the order of their names. Links are not followed."""
    if not root.is_dir():
        raise CheckpointError(f"{str(root)!r} is no folder")
    found = []
    for folder, subfolders, files in os.walk(root):
        if "config.yaml" in files and CHECKPOINTS in subfolders and (Path(folder) / "config.yaml").is_file():
            found.append(Path(folder))
            subfolders.clear()
        subfolders.sort()
    return sorted(found)


def differing_options(records: Sequence[RunRecord]) -> list[str]:
    """Return the keys that do not have one value in all runs, in alphabetical order."""
    keys = sorted({key for record in records for key in record.options})
    return [key for key in keys if len({repr(record.options.get(key)) for record in records}) > 1]


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return each key's shortest end that no other key has: lr for train.optimizer.sgd.lr."""
    return {key: _shortest_end(key, [other for other in keys if other != key]) for key in keys}


def _shortest_end(key: str, others: Sequence[str]) -> str:
    words = key.split(".")
    ends = (".".join(words[-count:]) for count in range(1, len(words) + 1))
    return next((end for end in ends if not any(f".{other}".endswith(f".{end}") for other in others)), key)


def _outcome(path: Path) -> tuple[str, Evaluation | None]:
    """Return how a run ended, and its evaluation, from the files that its end leaves."""
    if (path / "diverged.json").exists():
        return "diverged", None
    try:
        with opened(path / "summary.json") as file:
            summary = json.load(file)
        evaluation = summary["evaluation"]
        return str(summary["status"]), _EVALUATION.validate_python(evaluation) if evaluation else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return _UNFINISHED, None


def _epochs(file: Path) -> Iterator[EpochMetrics]:
    """Yield the epochs up to the first line that is none: the last one may be half written."""
    names = [field.name for field in fields(EpochMetrics)]
    try:
        with opened(file) as content:
            lines = content.readlines()
    except OSError:
        return
    for line in lines:
        try:
            row = json.loads(line)
            yield _EPOCH.validate_python({name: row[name] for name in names})
        except (ValueError, KeyError, TypeError, RecursionError):
            return
