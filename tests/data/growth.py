"""Time of an image in training, on folders of 1 000, 10 000 and 100 000 images that all fit into the cache.

python -m tests.data.growth

configs/bench/cifar32.yaml on one thread. The folders take turns, a few steps of a shuffled epoch each time, and the
medians count. Writing and decoding the images takes a minute or two before that.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from cnnbp.config import load_config
from cnnbp.training.job import Job
from cnnbp.training.loading import load_datasets
from cnnbp.training.state import TrainingState
from cnnbp.training.step import take_step

CONFIG = Path(__file__).parents[2] / "configs" / "bench" / "cifar32.yaml"
COUNTS = (1_000, 10_000, 100_000)
TURNS = 30
STEPS = 5  # in a turn


def make_images(root: Path, count: int) -> None:
    """Write colour PPMs of 32×32, noise, in ten classes."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = root / str(number % 10) / f"{number}.ppm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"P6 32 32 255\n" + rng.bytes(3 * 32 * 32))


def turns(root: Path, engines: ExitStack) -> Iterator[float]:
    """Train, and yield the seconds of an image after every few steps."""
    config = load_config(CONFIG, [f"data.path={root}"])
    job = Job.of(config, load_datasets(config), threads=1)
    engines.enter_context(job.engine)
    state, epoch = TrainingState.initial(config), 0
    while True:
        images, started = 0, perf_counter()
        for step, batch in enumerate(job.batches(epoch)):
            take_step(job, state, batch, 1e-4)
            images += len(batch.indices)
            if (step + 1) % STEPS == 0:
                yield (perf_counter() - started) / images
                images, started = 0, perf_counter()
        epoch += 1


def main() -> int:
    table = Table("images", "µs/image", "against 1 000", title=f"{CONFIG.name}, one thread, all images in the cache")
    with tempfile.TemporaryDirectory() as root, ExitStack() as engines:
        folders = []
        for count in COUNTS:
            make_images(Path(root) / str(count), count)
            folders.append(turns(Path(root) / str(count), engines))
        rounds = [[next(folder) for folder in folders] for _ in range(TURNS)]
    microseconds = [median(column) * 1e6 for column in zip(*rounds, strict=True)]
    for count, taken in zip(COUNTS, microseconds, strict=True):
        table.add_row(str(count), f"{taken:.0f}", f"{taken / microseconds[0]:.3f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
