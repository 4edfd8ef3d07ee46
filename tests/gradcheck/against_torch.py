"""Hold the checker beside torch.autograd.gradcheck: the same networks, the same planted bugs, the same correct ones.

python -m tests.gradcheck.against_torch
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.autograd import gradcheck

from cnnbp.arrays import Arena, Array
from cnnbp.gradcheck import check_network
from cnnbp.gradcheck.bugs import fitting_bugs, plant
from cnnbp.gradcheck.computation import follow_branches
from cnnbp.gradcheck.endtoend import network_case
from cnnbp.gradcheck.numeric import step_size
from cnnbp.gradcheck.point import Point
from cnnbp.gradcheck.selftest import networks
from cnnbp.gradcheck.workers import Workers
from cnnbp.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU
from cnnbp.losses import CrossEntropy, Loss
from cnnbp.network import Network
from tests.gradcheck.soak import flat_background, integers, noise
from tests.gradcheck.torch_wrapping import wrapped
from tests.random_networks import random_network

IMAGES = 4
RANDOM_NETWORKS = 24


@dataclass
class Score:
    """How one checker does."""

    name: str
    alarmed: Callable[[Point], bool]
    planted: int = 0
    detected: int = 0
    correct: int = 0
    false_alarms: int = 0
    seconds: float = 0.0
    missed: Counter[str] = field(default_factory=Counter)

    def try_broken(self, point: Point, bug: str) -> None:
        self.planted += 1
        if self._asked(point):
            self.detected += 1
        else:
            self.missed[bug] += 1

    def try_correct(self, point: Point) -> None:
        self.correct += 1
        self.false_alarms += self._asked(point)

    def _asked(self, point: Point) -> bool:
        start = perf_counter()
        alarmed = self.alarmed(point)
        self.seconds += perf_counter() - start
        return alarmed


def ours(point: Point) -> bool:
    everything = sys.maxsize
    report = check_network(
        point.network, point.loss, point.params, point.state, point.x, point.labels, entries=everything
    )
    return report.verdict == "fail"


def torchs(point: Point, *, fast_mode: bool) -> bool:
    function, inputs = wrapped(point)
    return not gradcheck(function, inputs, raise_exception=False, fast_mode=fast_mode)


def subject(network: Network, loss: Loss) -> Point:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*network.input_shape, IMAGES))
    labels = np.arange(IMAGES) % max(network.output_shape[0], 2)
    return Point(network, loss, network.initial_parameters(1, np.float64), network.initial_state(), x, labels)


def compare(random_networks: int = RANDOM_NETWORKS) -> list[Score]:
    """Plant every bug of the catalogue, and try correct networks on noise, flat backgrounds and integers."""
    scores = [
        Score("cnnbp, every entry", ours),
        Score("torch gradcheck", partial(torchs, fast_mode=False)),
        Score("torch gradcheck, fast_mode", partial(torchs, fast_mode=True)),
    ]
    for network, loss in networks().values():
        for fit in fitting_bugs(network, loss):
            for score in scores:  # each gets a bug of its own: some remember earlier calls
                score.try_broken(subject(*plant(network, loss, fit.spelling)), fit.bug)
    for seed in range(random_networks):
        condition = (noise, flat_background, integers)[seed % 3]
        drawn = condition(random_network(seed), np.random.default_rng(seed))
        for score in scores:
            score.try_correct(Point(drawn.network, drawn.loss, drawn.params, drawn.state, drawn.x, drawn.labels))
    return scores


def small_cnn() -> Point:
    """Return conv8–pool–conv16–pool–dense32–3 on 4 images of 16×16."""
    layers = [
        *(Conv2d(filters=8, kernel=3, pad="same"), ReLU(), MaxPool2d(kernel=2)),
        *(Conv2d(filters=16, kernel=3, pad="same"), ReLU(), MaxPool2d(kernel=2)),
        *(Flatten(), Dense(units=32), ReLU(), Dense(units=3)),
    ]
    return subject(Network((3, 16, 16), layers), CrossEntropy())


def speeds() -> list[tuple[str, int, float]]:
    """Return (method, entries, seconds) for every entry of the small CNN's parameters and images."""
    point = small_cnn()
    size = point.params.vector.size + point.x.size
    start = perf_counter()
    report = check_network(
        point.network, point.loss, point.params, point.state, point.x, point.labels, entries=sys.maxsize
    )
    rows = [("cnnbp, whole check (layers alone and end to end)", report.checked, perf_counter() - start)]
    return [
        *rows,
        ("cnnbp, end to end, four evaluations (Richardson)", size, _end_to_end(point, 4)),
        ("cnnbp, end to end, two evaluations", size, _end_to_end(point, 2)),
        ("torch gradcheck of the same layers, wrapped", size, _torch_seconds(*wrapped(point))),
        ("torch gradcheck of torch's own layers", size, _torch_seconds(*_native(point))),
    ]


def _end_to_end(point: Point, evaluations: int) -> float:
    start = perf_counter()
    with Workers() as workers:
        for claim in network_case(point).claims:
            h = step_size(claim.theta)
            shifts = np.array([h, -h, h / 2, -h / 2])[:evaluations]

            def differences(entries: Array, arena: Arena, claim=claim, shifts=shifts) -> Array:
                parts, _ = claim.parts(entries, np.tile(shifts, (len(entries), 1)), follow_branches, arena)
                return parts.sum(axis=(0, 3))

            step = claim.copies // evaluations
            chunks = [np.arange(i, min(i + step, claim.theta.size)) for i in range(0, claim.theta.size, step)]
            assert sum(map(len, workers.map(differences, chunks))) == claim.theta.size
    return perf_counter() - start


def _torch_seconds(function: Callable[..., torch.Tensor], inputs: Sequence[torch.Tensor]) -> float:
    start = perf_counter()
    gradcheck(function, inputs, raise_exception=False)
    return perf_counter() - start


def _native(point: Point) -> tuple[Callable[..., torch.Tensor], list[torch.Tensor]]:
    """Return the small CNN in torch's own operations, and its inputs."""
    functional, labels = torch.nn.functional, torch.from_numpy(point.labels)

    def loss(x: torch.Tensor, w1, b1, w2, b2, w3, b3, w4, b4) -> torch.Tensor:  # type: ignore[no-untyped-def]
        x = functional.max_pool2d(functional.relu(functional.conv2d(x, w1, b1, padding=1)), 2)
        x = functional.max_pool2d(functional.relu(functional.conv2d(x, w2, b2, padding=1)), 2)
        x = functional.linear(functional.relu(functional.linear(x.flatten(1), w3, b3)), w4, b4)
        return functional.cross_entropy(x, labels)

    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(point.x, -1, 0))).requires_grad_()
    return loss, [x, *(torch.tensor(array, requires_grad=True) for _, array in point.params.named())]


def main() -> int:
    console, scores = Console(), compare()
    table = Table("checker", "bugs planted", "detected", "correct networks", "false alarms", "seconds")
    for score in scores:
        counts = (score.planted, score.detected, score.correct, score.false_alarms)
        table.add_row(score.name, *map(str, counts), f"{score.seconds:.1f}")
    console.print(table)
    for score in scores:
        if score.missed:
            missed = ", ".join(f"{bug} ({count})" for bug, count in score.missed.most_common())
            console.print(f"{score.name} misses {missed}", markup=False, highlight=False)
    table = Table("conv8–pool–conv16–pool–dense32–3, 16×16, M = 4", "entries", "seconds", "entries/s")
    for name, entries, seconds in speeds():
        table.add_row(name, f"{entries:,}", f"{seconds:.2f}", f"{entries / seconds:,.0f}")
    console.print(table)
    [own, *_] = scores
    return int(own.detected < own.planted or own.false_alarms > 0)


if __name__ == "__main__":
    sys.exit(main())
