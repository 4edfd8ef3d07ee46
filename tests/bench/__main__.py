"""Time the shipped workloads against PyTorch on one thread and on two, and print a table of medians.

python -m tests.bench [WORKLOAD…]

Each row is a process of its own, in which the two take turns.
"""

import json
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.workloads import WORKLOADS

THREADS = (1, 2)
HEADER = (
    "workload",
    "threads",
    "cnnbp\nms",
    "PyTorch\nms",
    "at its best",
    "PyTorch\n/cnnbp",
    "of GEMM\nrate",
    "over one\nthread",
)


def main() -> None:
    console = Console(width=100)
    table = Table(*HEADER)
    for workload in sys.argv[1:] or WORKLOADS:
        alone = None
        for threads in THREADS:
            result = _bench(workload, threads)
            alone = alone or result["step_ms"]["median"]
            table.add_row(*_cells(workload, result, alone))
        table.add_section()
    console.print(table)
    console.print(f"medians of a whole training step, update included, in turns with {result['against']['name']}")


def _bench(workload: str, threads: int) -> dict[str, Any]:
    options = ["--threads", str(threads), "--against", "torch", "--json", "-q"]
    command = [sys.executable, "-m", "cnnbp", "bench", str(WORKLOADS[workload]), *options]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _cells(workload: str, result: dict[str, Any], alone: float) -> list[str]:
    best = min(result["against"]["variants"], key=lambda variant: variant["step_ms"]["median"])
    ours = result["step_ms"]["median"]
    return [
        workload,
        str(result["threads"]),
        f"{ours:.3g}",
        f"{best['step_ms']['median']:.3g}",
        best["name"],
        f"{result['against']['ratio']:.2f}",
        f"{result['share_of_gemm_rate']:.0%}",
        f"{alone / ours:.2f}",
    ]


if __name__ == "__main__":
    main()
