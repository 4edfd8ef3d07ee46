"""From the shell to 97 % on the digits that come along: cnnbp, with pictures and without, against a PyTorch script.

python -m tests.bench.digits

Whole processes, start to end, in turns; each with the fewest epochs that bring it there.
"""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
ROUNDS, GOAL = 5, 0.97
TORCH = "PyTorch script"


def main() -> None:
    seconds, accuracies = defaultdict[str, list[float]](list), dict[str, float]()
    for _ in range(ROUNDS):
        with TemporaryDirectory() as folder:
            for name, command in _commands(Path(folder)).items():
                started = perf_counter()
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
                seconds[name].append(perf_counter() - started)
                accuracies[name] = _accuracy(done.stdout)
    table = Table("from the shell to the end", "seconds", "of PyTorch's", "test accuracy")
    for name, times in seconds.items():
        share = median(times) / median(seconds[TORCH])
        table.add_row(name, f"{median(times):.2f}", f"{share:.2f}", f"{accuracies[name]:.1%}")
    Console().print(table)
    assert min(accuracies.values()) >= GOAL, accuracies


def _commands(folder: Path) -> dict[str, list[str]]:
    train = [
        sys.executable,
        "-m",
        "cnnbp",
        "train",
        "configs/digits.yaml",
        "train.epochs=5",
        "data.augment=[]",
        "--json",
    ]
    return {
        TORCH: [sys.executable, "tests/bench/digits_in_torch.py", "datasets/digits", "3"],
        "cnnbp --no-plots": [*train, "--no-plots", "--run", str(folder / "without")],
        "cnnbp": [*train, "--run", str(folder / "with")],
    }


def _accuracy(stdout: str) -> float:
    """Read the script's number, or the accuracy in the summary of a run."""
    found = json.loads(stdout)
    return float(found["evaluation"]["accuracy"] if isinstance(found, dict) else found)


if __name__ == "__main__":
    main()
