"""configs/digits.yaml as one would write it in PyTorch, without augmentation.

python tests/bench/digits_in_torch.py FOLDER EPOCHS

Prints the test accuracy.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

BATCH_SIZE = 32


def main() -> None:
    folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
    torch.manual_seed(0)
    x, y = images(folder / "train")
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    steps = epochs * -(-len(x) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=1 / epochs)
    for epoch in range(epochs):
        for batch in torch.randperm(len(x)).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x[batch]), y[batch])
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
        sys.stderr.write(f"epoch {epoch + 1}: loss {loss.item():.4f}\n")
    x, y = images(folder / "test")
    with torch.no_grad():
        sys.stdout.write(f"{(network(x).argmax(dim=1) == y).float().mean().item()}\n")


def images(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    files = sorted(folder.glob("*/*.png"))
    pixels = np.stack([np.asarray(Image.open(file).convert("L"), np.float32) for file in files])
    return torch.from_numpy((pixels / 255 - 0.5) / 0.5)[:, None], torch.tensor(
        [int(file.parent.name) for file in files]
    )


if __name__ == "__main__":
    main()
