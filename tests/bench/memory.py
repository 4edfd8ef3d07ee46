"""What the peak of a training step adds to a process that holds network and batch: cnnbp against PyTorch. Linux only.

python -m tests.bench.memory [WORKLOAD…]

Each is a process of its own, read off VmHWM, which counts every page, whoever asked for it. What the processes that
it forks have to themselves is added.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cnnbp.bench.steps import DTYPE, TrainingStep
from cnnbp.config import load_config
from cnnbp.engine import Engine, available_cores
from cnnbp.inspect.images import random_images
from tests.bench.workloads import WORKLOADS
from tests.processes import PRIVATE, children, held

STEPS = 5


def main(workloads: list[str]) -> None:
    table = Table("workload", "cnnbp MiB", "PyTorch MiB", "in shares of PyTorch's")
    for workload in workloads or WORKLOADS:
        ours, theirs = (_in_a_process(kind, workload) for kind in ("cnnbp", "torch"))
        table.add_row(workload, f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}" if theirs else "")
    Console().print(table)


def _in_a_process(kind: str, workload: str) -> float:
    command = [sys.executable, "-m", "tests.bench.memory", kind, workload]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(kind: str, workload: str) -> float:
    """Return by how many MiB this process grows at the peak of its steps."""
    config = load_config(WORKLOADS[workload])
    images = random_images(config, config.train.batch_size)
    with Engine(config.network, config.loss, threads=available_cores()) as engine:
        ours = TrainingStep(config, images, engine)
        step: Callable[[], None] = ours if kind == "cnnbp" else _torch_step(ours, images)
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        for _ in range(STEPS):
            step()
        forked = sum(held(process, *PRIVATE) for process in children())
        return _memory("VmHWM") - before + forked / 2**20


def _torch_step(ours: TrainingStep, images) -> Callable[[], None]:
    from cnnbp.bench.torch_step import torch_steps

    engine = ours.engine
    x = images.x.astype(DTYPE)
    steps = torch_steps(
        engine.network, engine.loss, ours.optimizer, ours.params, ours.state, x, images.labels, engine.threads
    )
    return next(step for name, step in steps.items() if name.startswith(f"channels_last, {engine.threads} "))


def _memory(line: str) -> float:
    """Return a line of this process's status in MiB."""
    found = re.search(rf"^{line}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] in (["cnnbp"], ["torch"]):
        sys.stdout.write(f"{measure(*sys.argv[1:])}\n")
    else:
        main(sys.argv[1:])
