"""Real jobs under a real mpiexec: three networks, their images, and how to start and watch them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from cnnbp.config import load_config
from cnnbp.engine import micro_batch_size
from tests.cli.command import ROOT as ROOT
from tests.cli.command import environment
from tests.data.images import noise, save

_BESIDE_PYTHON = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(_BESIDE_PYTHON) if _BESIDE_PYTHON.exists() else shutil.which("mpiexec")

needs_mpiexec = pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec: pip install 'cnnbp[mpi]' finds none")

LAYERS = {
    "plain": "[*conv, relu, *rest]",
    "batchnorm": "[*conv, batchnorm, relu, *rest]",
    "frozen": "[{residual: {name: frozen, layers: [*conv, batchnorm], shortcut: [*conv]}}, *conv, relu, *rest]",
}
_PARTS = {
    "*conv": "{conv2d: {filters: 16, kernel: 3, pad: same}}",
    "*rest": "{maxpool2d: {kernel: 8}}, flatten, {dropout: {p: 0.2}}, {dense: {units: 2}}",
}
_CONFIG = """\
seed: 3
input: {{channels: 3, height: 48, width: 48}}
data: {{path: images, augment: [{{shift: 2}}]}}
layers: {layers}
loss: cross_entropy
train:
  epochs: {epochs}
  batch_size: {batch_size}
  optimizer: {{adam: {{lr: 1e-3}}}}
  clip_norm: 1.0
  ema: 0.9
  freeze: {freeze}
"""


def write_job(folder, kind, *, epochs=3):
    """Write images and a configuration whose batches have eight micro-batches or more; return the configuration."""
    layers = LAYERS[kind]
    for name, part in _PARTS.items():
        layers = layers.replace(name, part)
    file = folder / "job.yaml"
    batch_size = 8
    while True:
        freeze = "[frozen]" if kind == "frozen" else "[]"
        file.write_text(_CONFIG.format(layers=layers, epochs=epochs, batch_size=batch_size, freeze=freeze))
        if batch_size >= 8 * micro_batch_size(load_config(file).network, batch_size):
            break
        batch_size *= 2
    for label, name in enumerate("ab"):
        for number in range(batch_size):  # of which a fifth validates: a whole batch and a smaller one to train on
            pixels = noise(48, 48, 3, seed=2 * number + label) // 2 + 100 * label
            save(folder / "images" / name / f"{number:03}.png", pixels.astype(np.uint8))
    return file


def train(*arguments, ranks, cwd, **variables):
    """Run `cnnbp train` on so many ranks, or without mpiexec where they are 0; return exit code, stdout and stderr."""
    with started(*arguments, ranks=ranks, cwd=cwd, **variables) as process:
        out, err = process.communicate(timeout=100)
    return process.returncode, out, err


def started(*arguments, ranks, cwd, **variables):
    """Start `cnnbp train` and return the process."""
    return launched("cnnbp", "train", *arguments, "--no-plots", ranks=ranks, cwd=cwd, **variables)


def launched(module, *arguments, ranks, cwd, **variables):
    """Start a module on so many ranks, or without mpiexec where they are 0."""
    launcher = [MPIEXEC, "-n", str(ranks)] if ranks else []
    command = [*launcher, sys.executable, "-m", module, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=cwd, env=environment(**variables), **pipes)


def ranks_of(process):
    """Return the process ids of the ranks below an mpiexec, in the order of the ranks."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = dict(pair.split("=", 1) for pair in (folder / "environ").read_text().split("\0") if "=" in pair)
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has gone, or is not ours to look at
        if "PMI_RANK" in variables and process.pid in (parent, _parent(parent)):
            found[int(variables["PMI_RANK"])] = int(folder.name)
    return [found[rank] for rank in sorted(found)]


def _parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def is_running(pid):
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def forgotten_memory():
    """Return the shared memory that MPICH's ranks left behind when they were ended: what no process has mapped."""
    mapped = ""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with suppress(OSError):  # it has gone, or is not ours to look at
            mapped += maps.read_text()
    settled = time.time() - 1  # one that is being made now is not mapped yet
    files = {path: path.stat().st_mtime for path in Path("/dev/shm").glob("mpich_shm_*")}
    return {path for path, changed in files.items() if changed < settled and path.name not in mapped}


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def checkpoint(run):
    return (run / "checkpoints" / "last.npz").read_bytes()
