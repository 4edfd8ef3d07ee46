"""`kill -9` at random moments of a run, which is then resumed: it must end in the same bytes as one left alone."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cnnbp.training.files import PARTIAL
from tests.training.runs import EVERYTHING, fingerprint, start, train, write_job

_THREADS = (1, 2, 3)
_LOOK_EVERY = 2e-4  # seconds: a checkpoint is written in a few milliseconds


@dataclass
class Kills:
    """A job, how its undisturbed run ended and how long it took; and what the kills hit."""

    folder: Path
    seed: int
    epochs: int = 40
    hits: Counter[str] = field(default_factory=Counter)

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.random = random.Random(self.seed)
        self.config = write_job(self.folder, EVERYTHING.replace("epochs: 12", f"epochs: {self.epochs}"))
        began = time.monotonic()
        self._go(self.folder / "undisturbed")
        self.seconds = time.monotonic() - began
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
        """Start, and kill: at a random moment, or as soon as a file is half written after it."""
        process = start(*self._arguments(run), cwd=self.folder)
        try:
            moment = time.monotonic() + self.random.uniform(0.2, 1) * self.seconds
            in_write = self.random.random() < 0.5
            while process.poll() is None and (time.monotonic() < moment or (in_write and not _half_written(run))):
                time.sleep(_LOOK_EVERY)
            process.kill()
        finally:
            process.communicate()
        return process.returncode == -9


def _half_written(run):
    return any((run / "checkpoints").glob(f"*{PARTIAL}"))


def _hit(run):
    if not (run / "config.yaml").exists():
        return "before the run had begun"
    if any(run.rglob(f"*{PARTIAL}")):
        return "inside a write"
    return "at the end" if (run / "confusion.csv").exists() else "between writes"
