"""Compare cnnbp with PyTorch and print how far they are apart; exit 1 where it is too far.

python -m tests.parity
"""

import sys
from collections import defaultdict
from itertools import chain
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.parity.exports import WHAT_IS_EXPORTED, export_distances
from tests.parity.networks import network_distances, workload_distances
from tests.parity.saved import saved_distances
from tests.parity.trajectories import trajectory_distances

NETWORKS = 300
WORKLOADS = sorted((Path(__file__).parents[2] / "configs" / "bench").glob("*.yaml"))
EXPORTS_TOLERANCE = 1e-5
TOLERANCES = {"float64": 1e-10, "float32": 1e-4}


def main() -> int:
    distances: dict[str, dict[str, list[float]]] = defaultdict(lambda: {dtype: [] for dtype in TOLERANCES})
    for dtype in TOLERANCES:
        networks = chain.from_iterable(network_distances(seed, np.dtype(dtype)) for seed in range(NETWORKS))
        workloads = chain.from_iterable(workload_distances(path, np.dtype(dtype)) for path in WORKLOADS)
        for what, distance in chain(networks, workloads, trajectory_distances(np.dtype(dtype))):
            distances[what][dtype].append(distance)
    table = Table("compared with PyTorch", "how often", *(f"worst in {dtype}" for dtype in TOLERANCES), "")
    too_far = 0
    for what, found in distances.items():
        worst = {dtype: max(found[dtype]) for dtype in TOLERANCES}
        good = all(worst[dtype] <= tolerance for dtype, tolerance in TOLERANCES.items())
        too_far += not good
        table.add_row(what, str(len(found["float64"])), *(f"{far:.1e}" for far in worst.values()), "✓" if good else "✗")
    console = Console()
    console.print(table)
    allowed = ", ".join(f"{tolerance:.0e} in {dtype}" for dtype, tolerance in TOLERANCES.items())
    console.print(f"{NETWORKS} random networks; allowed: {allowed}; too far: {too_far}")
    return min(too_far + _exports(console) + _saved(console), 1)


def _exports(console: Console) -> int:
    """Print how far the shipped configurations' exports are, and return how many are too far."""
    table = Table("exported and trained", *WHAT_IS_EXPORTED, "")
    too_far = 0
    for name, distances in export_distances():
        good = max(distances.values()) <= EXPORTS_TOLERANCE
        too_far += not good
        table.add_row(name, *(f"{distances[what]:.1e}" for what in WHAT_IS_EXPORTED), "✓" if good else "✗")
    console.print(table)
    console.print(f"allowed: {EXPORTS_TOLERANCE:.0e} in float32; too far: {too_far}")
    return too_far


def _saved(console: Console) -> int:
    """Print how far saved gradients are, and return how many are too far."""
    table = Table("cnnbp grads --save", "worst in float64", "")
    too_far = 0
    for name, far in saved_distances():
        good = far <= TOLERANCES["float64"]
        too_far += not good
        table.add_row(name, f"{far:.1e}", "✓" if good else "✗")
    console.print(table)
    return too_far


if __name__ == "__main__":
    sys.exit(main())
