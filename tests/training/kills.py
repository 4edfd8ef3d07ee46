"""`kill -9` at random moments of a run, which is then resumed: it must end in the same bytes as one left alone."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cnnbp.files import PARTIAL
from tests.training.runs import EVERYTHING, fingerprint, start, train, write_job

_THREADS = (1, 2, 3)
_LOOK_EVERY = 2e-4  # seconds: a checkpoint is written in a few milliseconds


@dataclass
class Kills:
    """A job and how its undisturbed run ended; and what the kills hit."""

    folder: Path
    seed: int
    epochs: int = 40
    hits: Counter[str] = field(default_factory=Counter)

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.random = random.Random(self.seed)
        self.config = write_job(self.folder, EVERYTHING.replace("epochs: 12", f"epochs: {self.epochs}"))
        self._go(self.folder / "undisturbed")
        self.expected = fingerprint(self.folder / "undisturbed")

    @property
    def count(self):
        return self.hits.total()

    def trial(self, number):
        """Kill a run one to three times, let it end, and return the files that are not as expected."""
        run = self.folder / f"run{number}"
        for _ in range(self.random.randint(1, 3)):
            if self._killed(run):
                self.hits[_hit(run)] += 1
        self._go(run)
        found = fingerprint(run)
        return sorted(
            name for name in self.expected.keys() | found.keys() if self.expected.get(name) != found.get(name)
        )

    def _arguments(self, run):
        """Return how to go on from what is there; a start that did not get as far as its config.yaml begins anew."""
        begun = ["--resume", run] if (run / "config.yaml").exists() else [self.config, "--run", run]
        return [*begun, "--threads", self.random.choice(_THREADS)]

    def _go(self, run):
        code, _, error = train(*self._arguments(run), cwd=self.folder)
        assert code == 0, error

    def _killed(self, run):
        """Start, and kill at some moment of some epoch, every other time once a file is half written.

        Epoch −1 is the start, before anything is written; the one after the last is the end, where all is measured.
        """
        process = start(*self._arguments(run), cwd=self.folder)
        inside = self.random.randrange(self.epochs)
        epoch = self.random.choices([-1, inside, self.epochs], [1, 8, 1])[0]
        in_write = self.random.random() < 0.5
        try:
            while process.poll() is None and _epochs(run) < epoch:
                time.sleep(_LOOK_EVERY)
            moment = time.monotonic() + self.random.uniform(0, 0.05 if epoch >= 0 else 1)
            while process.poll() is None and (time.monotonic() < moment or (in_write and not _half_written(run))):
                time.sleep(_LOOK_EVERY)
            process.kill()
        finally:
            process.communicate()
        return process.returncode == -9


def _epochs(run):
    metrics = run / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else -1


def _half_written(run):
    return any((run / "checkpoints").glob(f"*{PARTIAL}"))


def _hit(run):
    if not (run / "config.yaml").exists():
        return "before the run had begun"
    if any(run.rglob(f"*{PARTIAL}")):
        return "inside a write"
    return "at the end" if (run / "confusion.csv").exists() else "between writes"
