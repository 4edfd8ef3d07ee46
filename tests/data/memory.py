"""Peak memory and time of training on folders larger than data.cache.

python -m tests.data.memory

First a folder ten times the cache, with that cache, with none and with room for all; then folders of 1 000, 10 000
and 100 000 tiny images with a cache of 100. Each run is a `cnnbp train` of one epoch, on two processes; its memory is
looked up a hundred times a second in /proc: all that the first has, and what the other has to itself.
"""

import csv
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.cli.command import COMMAND, environment
from tests.data.images import save
from tests.data.png import header, pixel_data, png
from tests.processes import PRIVATE, children, held

CONFIG = """
input: {{channels: {channels}, height: {side}, width: {side}}}
data: {{cache: {cache}}}
layers: [{{avgpool2d: {{kernel: 8}}}}, flatten, {{dense: {{units: 2}}}}]
loss: cross_entropy
train: {{epochs: 1, batch_size: 64}}
"""
MIB = 1 << 20
SIDE, IMAGES = 128, 8000  # 375 MiB decoded
COUNTS = (1_000, 10_000, 100_000)


@dataclass(frozen=True)
class Cost:
    """What a run took; `epoch` is the part of its seconds in which images were trained on."""

    peak: int
    images_per_second: float


def make_photos(root: Path) -> None:
    """Write colour JPEGs of 128×128."""
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        cells = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        save(root / "ab"[number % 2] / f"{number}.jpg", cells.repeat(SIDE // 8, 0).repeat(SIDE // 8, 1), quality=80)


def make_tiny(root: Path, count: int) -> None:
    """Write grey PNGs of 8×8."""
    rng, head = np.random.default_rng(0), header(8, 8)
    for name in "ab":
        (root / name).mkdir(parents=True)
    for number in range(count):
        content = png(head, pixel_data(rng.integers(0, 256, (8, 8, 1)), 8))
        (root / "ab"[number % 2] / f"{number}.png").write_bytes(content)


def cost(images: Path, channels: int, side: int, cache: int) -> Cost:
    """Train for an epoch and return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "c.yaml").write_text(CONFIG.format(channels=channels, side=side, cache=cache))
        command = [*COMMAND, "train", "c.yaml", str(images), "--run", "run", "--no-plots", "-q", "--threads", "2"]
        with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL) as process:
            peak = max(_looks(process))
        assert process.returncode == 0
        with (Path(folder) / "run" / "metrics.csv").open(newline="") as file:
            [row] = csv.DictReader(file)
        return Cost(peak, float(row["images_per_second"]))


def _looks(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """Yield what a process and those that it has forked hold together, again and again, in bytes."""
    while process.poll() is None:
        try:
            yield held(process.pid, "Rss") + sum(held(other, *PRIVATE) for other in children(process.pid))
        except OSError:  # it has just ended
            yield 0
        sleep(0.01)


def main() -> int:
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        make_photos(Path(folder))
        decoded = IMAGES * 3 * SIDE * SIDE
        table = Table("data.cache", "peak memory", title=f"{IMAGES} images, {decoded / MIB:.0f} MiB decoded")
        for cache in (0, decoded // 10, 2 * decoded):
            table.add_row(f"{cache / MIB:.1f} MiB", f"{cost(Path(folder), 3, SIDE, cache).peak / MIB:.0f} MiB")
        console.print(table)
    table = Table("images", "peak memory", "images/s of the epoch", title="8×8, a cache of 100 images")
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            make_tiny(Path(folder), count)
            found = cost(Path(folder), 1, 8, 100 * 64)
            table.add_row(str(count), f"{found.peak / MIB:.0f} MiB", f"{found.images_per_second:.0f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
