"""Small trained runs, for the verbs that look at one."""

import json

import numpy as np
from PIL import Image

from tests.cli.command import cnnbp

CONFIG = """
input: {channels: 3, height: 6, width: 6}
data: {path: images, fit: pad, background: [250, 0, 0], normalize: {mean: [0.4, 0.5, 0.6], std: 0.25}}
layers:
  - conv2d: {name: first, filters: 4, kernel: 3}
  - batchnorm
  - relu
  - maxpool2d: {kernel: 2}
  - flatten
  - dropout: {p: 0.3}
  - dense: {units: 3}
loss: cross_entropy
train: {epochs: 2, batch_size: 8}
"""
CLASSES = ("[red]", "grün\nblau", "z")


def picture(path, label, seed):
    """Save an image whose brightness tells its class, of other proportions than the network's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 90, (7, 10, 3)) + 80 * label
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def image_folder(folder, *splits, each=6):
    """Make `each` images of every class, in splits where some are given."""
    for number, split in enumerate(splits or ("",)):
        for label, name in enumerate(CLASSES):
            for index in range(each):
                picture(folder / split / name / f"a b {index}.png", label, [number, label, index])
    return folder


def trained_run(folder, *splits):
    """Train for two epochs in `folder` and return the run directory."""
    folder.mkdir(exist_ok=True)
    image_folder(folder / "images", *splits)
    (folder / "c.yaml").write_text(CONFIG)
    exit_code, _, errors = cnnbp("train", "c.yaml", "--run", "run", "--no-plots", cwd=folder)
    assert exit_code == 0, errors
    return folder / "run"


def document(*arguments, **options):
    """Run `cnnbp … --json`, which must succeed, and return its document."""
    exit_code, screen, errors = cnnbp(*arguments, "--json", **options)
    assert exit_code == 0, errors
    return json.loads(screen)
