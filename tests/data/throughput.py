"""Images per second from JPEG files to batches, in the first epoch and in a cached one, beside a PyTorch DataLoader.

python -m tests.data.throughput [PHOTOS]

The photos are made first: 440×370, quality 85, about 28 kB each. Both sides decode them, scale them to 64×64 with
the same filter, shuffle, and hand out normalised float32 batches of 64. PyTorch has two worker processes, which stay
between its epochs; cnnbp has two threads. cnnbp lets the JPEG decoder shrink, which is called draft; a DataLoader that
does so too is shown as well. The sides take turns, and the median of the rounds counts.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset

from cnnbp.arrays import Arena
from cnnbp.data.batches import batches, epoch_order
from cnnbp.data.decode import ImageFormat
from cnnbp.data.folder import scan_folder
from cnnbp.data.normalize import Normalization
from cnnbp.data.store import decode_split

PHOTOS = 2000
ROUNDS = 3
BATCH = 64
SIZE = (64, 64)  # (height, width)
WORKERS = 2
WANTED = {"first epoch": 1.2, "cached epoch": 3.0}


def make_photos(root: Path, count: int) -> None:
    """Write JPEGs with a photograph's spectrum: amplitudes fall with the frequency, over a little grain."""
    rng = np.random.default_rng(0)
    for number in range(count):
        photo = np.full((370, 440, 3), 127.0)
        for cells, amplitude in ((2, 60), (5, 30), (12, 15), (30, 8), (75, 4)):
            coarse = rng.normal(0, amplitude, (cells, cells, 3)).astype(np.float32)
            photo += np.stack([_enlarged(coarse[..., channel]) for channel in range(3)], axis=-1)
        photo += rng.normal(0, 4, (370, 440, 1))
        path = root / "ab"[number % 2] / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(path, quality=85)


def _enlarged(channel: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(channel).resize((440, 370), Image.Resampling.BICUBIC))


def cnnbp_epochs(root: Path) -> Iterator[float]:
    """Yield the seconds of epoch after epoch; the first begins with an unread folder."""
    start = perf_counter()
    images = decode_split(scan_folder(root).splits["train"], ImageFormat(3, *SIZE), threads=WORKERS)
    assert images.in_memory
    normalization, arena = Normalization.uniform(3, 0.5, 0.25), Arena()
    for epoch in range(2):
        order = epoch_order(len(images), 0, epoch)
        for batch in batches(images, order, BATCH, 16, normalization, np.float32, epoch=epoch, threads=WORKERS):
            for micro_batch in batch.micro_batches:  # what training leaves to the processes that share a step
                assert micro_batch.prepared(arena).dtype == np.float32
        yield perf_counter() - start
        start = perf_counter()


class Photos(Dataset):
    """What a PyTorch user would write; with `draft`, one who knows Pillow well."""

    def __init__(self, root: Path, draft: bool) -> None:
        self.files = sorted(root.glob("*/*.jpg"))
        self.draft = draft

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        file = self.files[index]
        with Image.open(file) as image:
            if self.draft:
                image.draft("RGB", (2 * SIZE[1], 2 * SIZE[0]))
            pixels = np.array(image.convert("RGB").resize(SIZE[::-1], Image.Resampling.BILINEAR))
        x = torch.from_numpy(pixels).permute(2, 0, 1).float().div_(255).sub_(0.5).div_(0.25)
        return x, "ab".index(file.parent.name)


def torch_epochs(root: Path, draft: bool) -> Iterator[float]:
    """Yield the seconds of epoch after epoch; starting the workers belongs to the first."""
    start = perf_counter()
    loader = DataLoader(Photos(root, draft), BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True)
    for _ in range(2):
        for x, _ in loader:
            assert len(x)
        yield perf_counter() - start
        start = perf_counter()


def main(count: int = PHOTOS) -> int:
    sides: dict[str, Callable[[Path], Iterator[float]]] = {
        "cnnbp": cnnbp_epochs,
        "DataLoader": lambda root: torch_epochs(root, draft=False),
        "DataLoader with draft": lambda root: torch_epochs(root, draft=True),
    }
    with tempfile.TemporaryDirectory() as folder:
        make_photos(Path(folder), count)
        rounds = [{name: list(side(Path(folder))) for name, side in sides.items()} for _ in range(ROUNDS)]
    rates = {name: [count / median(each[name][epoch] for each in rounds) for epoch in range(2)] for name in sides}
    return _show(count, rates)


def _show(count: int, rates: dict[str, list[float]]) -> int:
    table = Table("images/s", *WANTED, title=f"{count} photos of 440×370 to 64×64, {WORKERS} threads or workers")
    for name, found in rates.items():
        table.add_row(name, *(f"{rate:.0f}" for rate in found))
    ours, *others = rates.values()
    ratios = [[mine / their for mine, their in zip(ours, other, strict=True)] for other in others]
    for name, reached in zip(list(rates)[1:], ratios, strict=True):
        table.add_row(f"cnnbp ÷ {name}", *(f"{ratio:.2f}" for ratio in reached))
    table.add_row("wanted of the first ratio", *(f"{ratio:.1f}" for ratio in WANTED.values()))
    Console().print(table)
    return int(any(ratio < wanted for ratio, wanted in zip(ratios[0], WANTED.values(), strict=True)))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
