"""Many trainings side by side, each a `cnnbp train` of its own, in a folder that the same command goes on with."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from cnnbp.config import Config, load_config
from cnnbp.errors import CheckpointError, ConfigError
from cnnbp.experiments.grid import Trial
from cnnbp.experiments.records import read_record
from cnnbp.training.resume import changed_keys
from cnnbp.training.run_directory import RunDirectory, locked

Progress = Callable[[int, int], None]  # runs done, runs in all

_ENDED = ("finished", "stopped early")
_SHOWN = 300  # characters of what a failed run said last


@dataclass(frozen=True)
class Sweep:
    """What to train: the configuration's file, an image folder or None, and the overrides that all runs share."""

    config: Path
    data: Path | None
    shared: Sequence[str]
    trials: Sequence[Trial]
    folder: Path

    def run_of(self, trial: Trial) -> Path:
        """Return the run directory of a trial."""
        return self.folder / trial.name

    def config_of(self, trial: Trial) -> Config:
        """Return the configuration of a trial."""
        return load_config(self.config, [*self.shared, *trial.overrides], may_import=True)

    def is_done(self, trial: Trial) -> bool:
        """Tell whether a trial's run has ended. Raises ConfigError where it was made with other options."""
        directory = RunDirectory(self.run_of(trial))
        if not directory.config.is_file():
            return False
        wanted = self.config_of(trial)
        changes = changed_keys(directory.read_config(wanted.code), wanted)
        if changes:
            raise ConfigError(
                f"{str(directory.path)!r} was trained with other options ({changes[0]}): name another folder by --into"
            )
        return read_record(directory.path).status in _ENDED


@dataclass
class SweepRunner:
    """Runs the trials that are not done, `side_by_side` at a time on `threads` cores each; `failures` by trial."""

    sweep: Sweep
    side_by_side: int
    threads: int = 1
    failures: dict[str, str] = field(default_factory=dict)
    _running: set["subprocess.Popen[str]"] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)
    _stopping: bool = False
    _locks: tuple[int, ...] = ()

    def run(self, progress: Progress) -> None:
        """Train whatever is not done yet. On Ctrl-C every run saves and ends; then KeyboardInterrupt goes on.

        Raises CheckpointError while another sweep trains in the folder, or a run that a killed one has left.
        """
        try:
            self.sweep.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"cannot make {str(self.sweep.folder)!r}: {error.strerror}") from error
        with locked(self.sweep.folder) as self._locks:
            self._run(progress)

    def _run(self, progress: Progress) -> None:
        waiting = [trial for trial in self.sweep.trials if not self.sweep.is_done(trial)]
        before, total = len(self.sweep.trials) - len(waiting), len(self.sweep.trials)
        progress(before, total)
        with ThreadPoolExecutor(self.side_by_side, "sweep") as pool:
            try:
                for done, _ in enumerate(pool.map(self._train, waiting), 1):
                    progress(before + done, total)
            except BaseException:
                self._stop()
                raise

    def _train(self, trial: Trial) -> None:
        with self._lock:
            if self._stopping:
                return
            process = subprocess.Popen(
                self._command(trial),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                pass_fds=self._locks,
                start_new_session=os.name == "posix",  # Ctrl-C is for the sweep, which passes it on once
            )
            self._running.add(process)
        _, errors = process.communicate()
        with self._lock:
            self._running.discard(process)
        if process.returncode and not self._stopping:
            self.failures[trial.name] = _last_words(errors) or f"it ended with exit code {process.returncode}"

    def _command(self, trial: Trial) -> list[str]:
        run = self.sweep.run_of(trial)
        command = [sys.executable, "-m", "cnnbp", "train"]
        if RunDirectory(run).config.is_file():
            command += ["--resume", str(run), *(["--trust"] if self.sweep.config_of(trial).code else [])]
        else:
            data = [] if self.sweep.data is None else [str(self.sweep.data)]
            command += [str(self.sweep.config), *data, *self.sweep.shared, *trial.overrides, "--run", str(run)]
        return [*command, "--threads", str(self.threads), "--no-plots", "--no-color"]

    def _stop(self) -> None:
        with self._lock:
            self._stopping = True
            for process in self._running:
                process.send_signal(signal.SIGINT)


def _last_words(errors: str) -> str:
    """Return the error that a run ended with, on one line."""
    start = errors.rfind("error: ")
    return " ".join(errors[start:].split())[:_SHOWN] if start >= 0 else ""
