"""Keeping a run directory up to date while training goes on."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_info

from cnnbp import __version__
from cnnbp.training.checkpoint import Checkpoint, save_checkpoint
from cnnbp.training.job import Job
from cnnbp.training.loop import EpochEvent, Event
from cnnbp.training.run_directory import RunDirectory
from cnnbp.training.state import TrainingState, best_epoch

if TYPE_CHECKING:
    from cnnbp.gradcheck.as_trained import AsTrained

_BETWEEN_EPOCHS = 1.0  # seconds: short epochs share a checkpoint
_PACKAGES = ("numpy", "pillow", "pydantic")


def start(job: Job, directory: RunDirectory, state: TrainingState) -> "Recorder":
    """Begin a new run from a state before its first step. Raises CheckpointError.

    Its config.yaml is written last: where it is, all is.
    """
    recorder = Recorder(job, state, directory)
    directory.write_split(job.datasets)
    directory.metrics.start_from([])
    directory.layers.start_from(0)
    recorder.save()
    recorder.write_settings()
    return recorder


def resume(job: Job, directory: RunDirectory, state: TrainingState) -> "Recorder":
    """Go on in a run directory from a state of it. Its config.yaml is written before what was made with it."""
    recorder = Recorder(job, state, directory)
    recorder.write_settings()
    directory.metrics.start_from(state.history)
    directory.layers.start_from(state.epoch)
    recorder.save()
    return recorder


class Follower:
    """What a rank other than the first has in a recorder's place: it writes nothing."""

    check: "AsTrained | None" = None  # what came of training's look at itself

    def __init__(self, job: Job, state: TrainingState) -> None:
        self.job, self.state = job, state

    def watch(self, events: Iterable[Event]) -> Iterator[Event]:
        """Pass events on."""
        yield from events

    def save(self) -> None:
        """Leave it to rank 0."""


class Recorder:
    """Writes metrics as epochs end, and checkpoints every `save_every` seconds.

    The files are in step whenever the process dies: metrics are written before the checkpoint that counts them, and
    `best` before the `last` that knows of it. What is newer than `last` is repeated, to the same bytes.
    """

    check: "AsTrained | None" = None  # what came of training's look at itself

    def __init__(self, job: Job, state: TrainingState, directory: RunDirectory) -> None:
        self.job, self.state, self.directory = job, state, directory
        self.images, self.known = job.datasets.digest, job.datasets.known
        self._new_best: TrainingState | None = None
        self._saved_at = monotonic()

    def watch(self, events: Iterable[Event]) -> Iterator[Event]:
        """Pass events on, each once it is recorded."""
        for event in events:
            if isinstance(event, EpochEvent):
                self._record(event)
            elif monotonic() - self._saved_at >= self.job.config.train.save_every:
                self.save()
            yield event

    def save(self) -> None:
        """Write what is new of `best` and `last`. Raises CheckpointError."""
        if self._new_best:
            save_checkpoint(self.directory.best, self._checkpoint(self._new_best))
            self._new_best = None
        save_checkpoint(self.directory.last, self._checkpoint(self.state))
        self._saved_at = monotonic()

    def write_settings(self) -> None:
        """Write what the run is made with: the environment, and the configuration as the last."""
        imported = {code.name: code.digest for code in self.job.config.code}
        environment = describe_environment(self.job.engine.threads, imported)
        self.directory.write_json("environment.json", asdict(environment))
        self.directory.write_config(self.job.config)

    def _record(self, event: EpochEvent) -> None:
        self.directory.metrics.append(event)
        self.directory.layers.append(event)
        if event.metrics is best_epoch(self.state.history, self.job.config.train.keep):
            self._new_best = self.state.copy()
        if monotonic() - self._saved_at >= min(_BETWEEN_EPOCHS, self.job.config.train.save_every):
            self.save()

    def _checkpoint(self, state: TrainingState) -> Checkpoint:
        job = self.job
        counts = tuple(job.datasets.class_counts)
        return Checkpoint(job.config, job.datasets.classes, job.normalization, self.images, state, counts, self.known)


@dataclass(frozen=True)
class Environment:
    """The machine, the interpreter and the libraries."""

    python: str
    packages: dict[str, str]
    blas: str
    cpu: str
    cores: int | None
    threads: int
    system: str
    imported: Mapping[str, str]  # the SHA-256 of each file that the configuration imports


def describe_environment(threads: int, imported: Mapping[str, str]) -> Environment:
    """Look at this process; `threads` is how many the engine uses."""
    return Environment(
        platform.python_version(),
        {"cnnbp": __version__, **{package: version(package) for package in _PACKAGES}},
        ", ".join(_blas(library) for library in threadpool_info() if library["user_api"] == "blas"),
        _cpu(),
        os.cpu_count(),
        threads,
        f"{platform.system()} {platform.release()} {platform.machine()}",
        imported,
    )


def _blas(library: dict[str, str]) -> str:
    return " ".join(str(library.get(key, "")) for key in ("internal_api", "version", "architecture")).strip()


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
