"""How long a step waits for its images once the folder is in memory, and what they cost the whole epoch.

python -m tests.data.waiting [THREADS]

Trains configs/cats_dogs.yaml on made images, with its flip, rotation and brightness and without. The two take turns,
epoch after epoch, and the medians count.
"""

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.table import Table

from cnnbp.config import load_config
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.state import TrainingState
from cnnbp.training.step import take_step
from tests.data.images import noise_folder

CONFIG = Path(__file__).parents[2] / "configs" / "cats_dogs.yaml"
PER_CLASS = 300
ROUNDS = 9
KINDS = {"augmented": [], "as they are": ["data.augment=[]"]}


@dataclass(frozen=True)
class Epoch:
    """Seconds of the steps and of waiting between them, and the images."""

    seconds: float
    waited: float
    images: int


def epoch_of(job: Job, state: TrainingState, number: int) -> Epoch:
    """Take the steps of an epoch."""
    started, waited = perf_counter(), 0.0
    batches = job.batches(number)
    while True:
        asked = perf_counter()
        batch = next(batches, None)
        waited += perf_counter() - asked
        if batch is None:
            return Epoch(perf_counter() - started, waited, len(job.datasets.train))
        take_step(job, state, batch, 1e-4)


def main(threads: int = 2) -> int:
    epochs: dict[str, list[Epoch]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as engines:
        noise_folder(Path(folder), PER_CLASS, (64, 64))
        jobs = {}
        for kind, changes in KINDS.items():
            config = load_config(CONFIG, [f"data.path={folder}", *changes])
            job = Job.of(config, load_datasets(config, threads=threads), threads=threads)
            engines.enter_context(job.engine)
            jobs[kind] = job, TrainingState.initial(config)
        for number in range(ROUNDS):
            for kind, (job, state) in jobs.items():
                epochs[kind].append(epoch_of(job, state, number))
    _show(epochs, threads)
    return 0


def _show(epochs: dict[str, list[Epoch]], threads: int) -> None:
    table = Table("images", "µs/image of an epoch", "waited", title=f"{CONFIG.name}, {threads} threads")
    for kind, found in epochs.items():
        seconds = median(epoch.seconds / epoch.images for epoch in found)
        waited = median(epoch.waited / epoch.seconds for epoch in found)
        table.add_row(kind, f"{seconds * 1e6:.0f}", f"{waited:.1%}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
