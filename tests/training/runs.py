"""Runs of the real command: a job with everything random in it, and what is the same in equal runs."""

import csv
import json
import subprocess
import sys

import numpy as np

from tests.cli.command import COMMAND, cnnbp, environment
from tests.data.images import save

# Augmentation, dropout, batch norm, adam with decay, a cosine: all that a resumed run must take up again.
EVERYTHING = """\
seed: 3
input: {channels: 1, height: 12, width: 12}
data:
  path: images
  normalize: auto
  augment: [{shift: 1}, {rotate: 10}, {flip: horizontal}]
layers:
  - conv2d: {filters: 8, kernel: 3, pad: same}
  - batchnorm
  - relu
  - maxpool2d: {kernel: 2}
  - flatten
  - dropout: {p: 0.3}
  - dense: {units: 64}
  - relu
  - dropout
  - dense: {units: 3}
loss: {cross_entropy: {class_weights: balanced, label_smoothing: 0.05}}
train:
  epochs: 12
  batch_size: 16
  optimizer: {adam: {lr: 3e-3, weight_decay: 1e-4}}
  schedule: {cosine: {warmup: 1}}
  clip_norm: 1.0
  early_stopping: {patience: 100}
  save_every: 0.02
"""
TIMES = ("images_per_second", "seconds")


def write_job(folder, text=EVERYTHING, per_class=(40, 30, 20), side=12):
    """Write a configuration and a folder of bars: upright, level or slanting, in noise. Return the configuration."""
    rng = np.random.default_rng(0)
    for label, count in enumerate(per_class):
        for number in range(count):
            pixels = rng.integers(0, 90, (side, side))
            place = rng.integers(2, side - 2)
            along = np.arange(side)
            rows, columns = ((along, place), (place, along), (along, (along + place) % side))[label]
            pixels[rows, columns] = 255
            save(folder / "images" / "abc"[label] / f"{number}.png", pixels.astype(np.uint8))
    config = folder / "job.yaml"
    config.write_text(text)
    return config


def start(*arguments, cwd, **streams):
    """Start `cnnbp train` and return its process."""
    command = [*COMMAND, "train", *map(str, arguments), "--no-plots"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=cwd, env=environment(), **{**quiet, **streams})


def train(*arguments, cwd):
    """Run `cnnbp train`; return exit code, stdout and stderr."""
    return cnnbp("train", *arguments, "--no-plots", cwd=cwd)


def fingerprint(run):
    """Return all of a run directory that does not depend on when and on how many threads it was made."""
    files = {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    del files["environment.json"]
    rows = [json.loads(line) for line in files.pop("metrics.jsonl").splitlines()]
    summary = json.loads(files.pop("summary.json"))
    with (run / "metrics.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    del files["metrics.csv"], summary["seconds"], summary["run"], summary["concerns"]
    return {
        **files,
        "metrics.jsonl": [without_times(row) for row in rows],
        "metrics.csv": [without_times(row) for row in table],
        "summary.json": summary,
    }


def without_times(row):
    return {key: value for key, value in row.items() if key not in TIMES}


def python(code, *arguments, cwd):
    """Run Python code in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=False)
