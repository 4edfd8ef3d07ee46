"""What a step costs on several ranks, measured and predicted: `mpiexec -n 2 python -m tests.mpi.scaling`.

Arguments: configurations, by default those that ship. The prediction for P ranks, one thread each, on c cores is made
of what one process measures while the others sleep, and of the exchanges alone:

    step(P) = T · share(P) · max(1, P/c) + latency · exchanges + 2 (P − 1)/P · 4N / bandwidth

T is the step of one process, share(P) the largest part of the micro-batches that a rank has, so that T/min(P, c) is
left where they divide evenly; N is the number of parameters. Ranks without any micro-batch take no part in P/c.
`--paper` goes on to P = 16, one rank to a core, over networks that are not here.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from cnnbp.cli.processes import as_one
from cnnbp.config import Config, load_config
from cnnbp.engine import Engine, MicroBatch, available_cores, micro_batch_size
from cnnbp.engine.mpi import MpiRanks
from cnnbp.engine.ranks import ALONE, Ranks, run_of, runs
from cnnbp.losses import Loss
from cnnbp.network import Network

ROOT = Path(__file__).parents[2]
SHIPPED = [f"configs/{name}.yaml" for name in ("digits", "lenet", "vgg", "residual")]
SHIPPED += [f"configs/bench/{name}.yaml" for name in ("mnist28", "cifar32", "photo64")]
NETWORKS = {"1 Gb/s, 50 µs": (50e-6, 117e6), "10 Gb/s, 20 µs": (20e-6, 1.17e9)}  # seconds, bytes per second
SECONDS = 0.6  # of measuring each step
LEAST = 5  # calls
WARM_UP = 3  # calls: a large network's second step still takes twice as long as its third
LARGE = 1 << 20  # numbers in the vector that measures the bandwidth


@dataclass(frozen=True)
class Case:
    """A network and a batch of random images, cut into micro-batches."""

    name: str
    network: Network
    loss: Loss
    batch: list[MicroBatch]

    @classmethod
    def of(cls, file: Path) -> "Case":
        config: Config = load_config(file)
        network, M = config.network, config.train.batch_size
        rng = np.random.default_rng(0)
        classes = max(2, network.output_shape[0])
        size = micro_batch_size(network, M)
        cuts = [min(size, M - start) for start in range(0, M, size)]
        images = [rng.normal(size=(*config.input.shape, m)).astype(np.float32) for m in cuts]
        loss = config.loss.balanced([1] * classes)
        return cls(file.stem, network, loss, [MicroBatch(x, rng.integers(0, classes, x.shape[-1])) for x in images])

    @property
    def exchanges(self) -> int:
        """How many messages a step waits for: the division, batch norm twice, outcomes, two for the gradient."""
        return 4 + 2 * sum(node.is_coupled for node in self.network.nodes)

    def share(self, size: int, cores: int) -> float:
        count = len(self.batch)
        return max(map(len, runs(count, size))) / count * max(1, min(size, count) / cores)

    def predicted(self, alone: float, size: int, cores: int, latency: float, bandwidth: float) -> float:
        reduction = latency * self.exchanges + 2 * (size - 1) / size * 4 * self.network.layout.size / bandwidth
        return alone * self.share(size, cores) + reduction

    def step(self, ranks: Ranks) -> float:
        """Return the median time of a step."""
        params, state = self.network.initial_parameters(0), self.network.initial_state()
        run = run_of(len(self.batch), ranks)
        mine = self.batch[run.start : run.stop]
        with Engine(self.network, self.loss, threads=1, ranks=ranks) as engine:
            return timed(lambda: engine.step(params, state, mine), ranks)


def timed(function: Callable[[], object], ranks: Ranks) -> float:
    """Return the median time of a call, over about SECONDS and LEAST calls; rank 0 says when to stop."""
    for _ in range(WARM_UP):
        function()
    times: list[float] = []
    started = perf_counter()
    while True:
        before = perf_counter()
        function()
        times.append(perf_counter() - before)
        enough = len(times) >= LEAST and perf_counter() - started > SECONDS
        if ranks.any(ranks.rank == 0 and enough):
            return median(times)


def on_rank_0(function: Callable[[], float], waiting: Ranks) -> float:
    """Call the function while the other ranks sleep, at a meeting of their own; 0 for them."""
    result = function() if waiting.rank == 0 else 0.0
    waiting.meet(None)
    return result


def reduction(ranks: Ranks) -> tuple[float, float]:
    """Return the latency of an exchange, and the bandwidth of a sum of vectors."""
    small, large = np.zeros((1, 8)), np.zeros(LARGE, np.float32)
    latency = timed(lambda: ranks.gather(small, [1] * ranks.size), ranks)
    one_each = [1] * ranks.size
    whole = timed(lambda: ranks.combine([large], one_each, lambda vectors: sum(vectors[1:], vectors[0]), large), ranks)
    return latency, 2 * (ranks.size - 1) / ranks.size * large.nbytes / max(whole - 2 * latency, 1e-9)


def main() -> None:
    files = [argument for argument in sys.argv[1:] if argument != "--paper"] or SHIPPED
    ranks, waiting, cores = MpiRanks(), MpiRanks(), available_cores()
    with as_one(ranks):
        latency, bandwidth = reduction(ranks) if ranks.size > 1 else (0.0, inf)
        rows = [measured(Case.of(ROOT / file), ranks, waiting) for file in files]
        if ranks.rank == 0:
            report(rows, ranks.size, cores, latency, bandwidth)
            for name, (seconds, rate) in NETWORKS.items() if "--paper" in sys.argv else ():
                on_paper(rows, name, seconds, rate)


def measured(case: Case, ranks: Ranks, waiting: Ranks) -> tuple[Case, float, float]:
    """Return a step's time on one rank and on all of them."""
    return case, on_rank_0(lambda: case.step(ALONE), waiting), case.step(ranks)


def report(rows: list[tuple[Case, float, float]], size: int, cores: int, latency: float, bandwidth: float) -> None:
    say(f"{size} ranks on {cores} cores: latency {1e6 * latency:.0f} µs, bandwidth {bandwidth / 1e6:.0f} MB/s")
    titles = ("1 process", "predicted", "measured", "faster")
    say(f"{'network':10}{'parameters':>12}{'M':>6}{'cuts':>6}" + "".join(f"{title:>11}" for title in titles))
    for case, alone, together in rows:
        images = sum(len(part.labels) for part in case.batch)
        expected = case.predicted(alone, size, cores, latency, bandwidth)
        say(
            f"{case.name:10}{case.network.layout.size:12,}{images:6}{len(case.batch):6}{1e3 * alone:8.2f} ms"
            f"{1e3 * expected:8.2f} ms{1e3 * together:8.2f} ms{alone / together:10.2f}×"
        )


def on_paper(rows: list[tuple[Case, float, float]], name: str, latency: float, bandwidth: float) -> None:
    """Predict one rank to a core, each on a host of its own."""
    sizes = (2, 4, 8, 16)
    say(f"\n{name}: times as fast as one rank\n{'network':10}" + "".join(f"{size:>4} ranks" for size in sizes))
    for case, alone, _ in rows:
        factors = (alone / case.predicted(alone, size, size, latency, bandwidth) for size in sizes)
        say(f"{case.name:10}" + "".join(f"{factor:9.2f}×" for factor in factors))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
