"""Soak the gradient checker in correct networks: it must not raise one false alarm. Exit 1 if it does.

python -m tests.gradcheck.soak [NETWORKS]

As many networks, of the size of those that are trained, have the step compared that training would take, and so have
the configurations that come along, with ten seeds each.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from cnnbp.config import load_config
from cnnbp.gradcheck import AsTrained, Training, check_network
from cnnbp.gradcheck.as_trained import check_as_trained
from cnnbp.gradcheck.point import Point
from cnnbp.inspect.images import random_images
from cnnbp.report.gradcheck import gradcheck_document
from tests.random_networks import RandomNetwork, random_network, training_network

NETWORKS = 320
ENTRIES = 400  # of each tensor, which is all of nearly every one
MOST_INCONCLUSIVE = 1e-3
CONFIGS = Path(__file__).parents[2] / "configs"
DIGITS = CONFIGS / "digits.yaml"
SEEDS = 10


def noise(drawn: RandomNetwork, rng: np.random.Generator) -> RandomNetwork:
    return drawn


def flat_background(drawn: RandomNetwork, rng: np.random.Generator) -> RandomNetwork:
    """Let all but a patch of each image be one number: exact ties wherever windows meet."""
    x = np.full_like(drawn.x, rng.choice([0.0, 0.25, -1 / 3]))
    x[:, 1:3, 1:4] = drawn.x[:, 1:3, 1:4]
    return replace(drawn, x=x)


def integers(drawn: RandomNetwork, rng: np.random.Generator) -> RandomNetwork:
    """Round images and parameters: ties, and ReLUs at exactly 0."""
    params = drawn.params.copy()
    params.vector[...] = np.round(2 * params.vector) / 2
    return replace(drawn, x=np.round(drawn.x), params=params)


def scaled_weights(drawn: RandomNetwork, rng: np.random.Generator) -> RandomNetwork:
    """Multiply all parameters by 0.05 to 20: gradients that vanish, units that saturate."""
    params = drawn.params.copy()
    params.vector *= np.exp(rng.uniform(np.log(0.05), np.log(20)))
    return replace(drawn, params=params)


def saturated_logits(drawn: RandomNetwork, rng: np.random.Generator) -> RandomNetwork:
    """Multiply the last layer's parameters by 10 to 100: a loss that is sure of itself, right or wrong."""
    params = drawn.params.copy()
    for array in params[drawn.network.nodes[-1].name].values():
        array *= np.exp(rng.uniform(np.log(10), np.log(100)))
    return replace(drawn, params=params)


CONDITIONS: tuple[Callable[[RandomNetwork, np.random.Generator], RandomNetwork], ...] = (
    noise,
    flat_background,
    integers,
    scaled_weights,
    saturated_logits,
)


@dataclass
class Tally:
    """What came of one kind of network."""

    networks: int = 0
    entries: int = 0
    failed: int = 0
    inconclusive: int = 0
    zero: int = 0
    alarms: int = 0
    most_roundings: float = 0.0

    def add(self, document: dict) -> None:
        """Count the entries of a check as `--json` gives it."""
        alone = [tensor for layer in document["layers"] for tensor in layer["tensors"]]
        tensors = [*document["tensors"], *document["jittered"], *alone]
        self.networks += 1
        self.entries += sum(tensor["checked"] for tensor in tensors)
        for verdict in ("failed", "inconclusive", "zero"):
            setattr(self, verdict, getattr(self, verdict) + sum(tensor[verdict] for tensor in tensors))
        self.alarms += document["verdict"] == "fail"
        self.most_roundings = max(self.most_roundings, *(t["units"] for t in document["float32"]["tensors"]))


def soak(seeds: Iterable[int]) -> dict[str, Tally]:
    """Check a random network for each seed, the conditions in turn; name each one that does not pass."""
    tallies = {condition.__name__: Tally() for condition in CONDITIONS}
    for seed in seeds:
        condition = CONDITIONS[seed % len(CONDITIONS)]
        drawn = condition(random_network(seed), np.random.default_rng([seed, 1]))
        report = check_network(
            drawn.network, drawn.loss, drawn.params, drawn.state, drawn.x, drawn.labels, entries=ENTRIES
        )
        document = gradcheck_document(report)
        tallies[condition.__name__].add(document)
        if report.verdict != "pass":
            wrong = [tensor["name"] for tensor in document["tensors"] if tensor["verdict"] != "pass"]
            said = f"{condition.__name__}, {drawn}: blames {report.blame}, {report.problems}, {wrong}"
            Console(stderr=True).print(f"{report.verdict}: {said}", markup=False)
    return tallies


@dataclass
class TrainedTally:
    """What came of the steps that training would take, over one kind of network; `worst` by kernel, of the allowed."""

    networks: int = 0
    alarms: int = 0
    worst: dict[str, float] = field(default_factory=dict)

    def add(self, found: AsTrained, name: object) -> None:
        """Count a comparison, and name the network if it is an alarm."""
        self.networks += 1
        self.alarms += found.verdict == "fail"
        for deviation in (*found.operations, *found.step):
            kernel = deviation.kernel or "as written"
            self.worst[kernel] = max(self.worst.get(kernel, 0.0), deviation.gravity)
        if found.verdict == "fail":
            Console(stderr=True).print(f"{found.hint}: {name}", markup=False)


def soak_as_trained(seeds: Iterable[int]) -> dict[str, TrainedTally]:
    """Compare the step that training would take for a random network of each seed, the conditions in turn."""
    tallies = {condition.__name__: TrainedTally() for condition in CONDITIONS}
    for seed in seeds:
        condition, rng = CONDITIONS[seed % len(CONDITIONS)], np.random.default_rng([seed, 1])
        drawn = condition(training_network(seed), rng)
        images = len(drawn.labels)
        training = Training(batch=images, micro_batch=min(images, int(rng.choice([4, 8, 16, 32]))))
        point = Point(drawn.network, drawn.loss, drawn.params, drawn.state, drawn.x, drawn.labels)
        tallies[condition.__name__].add(check_as_trained(point, training, seed=seed), drawn)
    return tallies


def soak_configurations_as_trained(seeds: Iterable[int]) -> TrainedTally:
    """Do the same for the configurations that come along, on random images."""
    tally = TrainedTally()
    for path, seed in product(sorted(CONFIGS.glob("*.yaml")), seeds):
        config = load_config(path, [f"seed={seed}"])
        images, network = random_images(config, 8), config.network
        loss, params = config.loss.balanced(images.class_counts), network.initial_parameters(seed)
        point = Point(network, loss, params, network.initial_state(), images.x, images.labels)
        training = Training.of(network, config.train.batch_size)
        tally.add(check_as_trained(point, training, seed=seed), f"{path}, seed {seed}")
    return tally


def soak_in_trained_digits() -> Tally:
    """Train on the digits until most images are classified surely, and check the run on 12 images of the folder."""
    tally = Tally()
    with TemporaryDirectory() as folder:
        _cnnbp("train", DIGITS, "train.epochs=12", "--run", Path(folder) / "run", "--no-plots", "-q")
        for seed in range(3):
            document = _cnnbp("gradcheck", Path(folder) / "run", "--seed", seed, "--batch", 12, "--json", "-q")
            tally.add(json.loads(document))
    return tally


def _cnnbp(*arguments: object) -> str:
    command = [sys.executable, "-m", "cnnbp", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if result.returncode not in (0, 1, 4) or (arguments[0] == "gradcheck" and not result.stdout):
        raise RuntimeError(f"{' '.join(command)} failed: {result.stderr}")
    return result.stdout


def show(tallies: dict[str, Tally]) -> None:
    names = ("networks", "entries", "false alarms", "failed", "inconclusive", "zero", "float32 roundings")
    table = Table("correct networks", *names)
    for name, tally in tallies.items():
        shares = (f"{share / tally.entries:.4%}" for share in (tally.inconclusive, tally.zero))
        counts = (f"{count:,}" for count in (tally.networks, tally.entries, tally.alarms, tally.failed))
        table.add_row(name.replace("_", " "), *counts, *shares, f"{tally.most_roundings:.0f}")
    Console(width=120).print(table)


def show_as_trained(tallies: dict[str, TrainedTally]) -> None:
    """Print how many alarms there were, and how near each kernel came to one."""
    table = Table("steps as trained", "networks", "false alarms", "share of what is allowed, by kernel")
    for name, tally in tallies.items():
        worst = ", ".join(f"{kernel} {share:.0%}" for kernel, share in sorted(tally.worst.items()))
        table.add_row(name.replace("_", " "), f"{tally.networks:,}", f"{tally.alarms:,}", worst)
    Console(width=140).print(table)


def main() -> int:
    count, start = int(sys.argv[1]) if len(sys.argv) > 1 else NETWORKS, perf_counter()
    tallies = soak(range(count)) | {"trained digits, real images": soak_in_trained_digits()}
    show(tallies)
    trained = soak_as_trained(range(count)) | {"configurations": soak_configurations_as_trained(range(SEEDS))}
    show_as_trained(trained)
    entries, alarms = (sum(getattr(tally, name) for tally in tallies.values()) for name in ("entries", "alarms"))
    inconclusive = sum(tally.inconclusive for tally in tallies.values()) / entries
    seconds = perf_counter() - start
    said = f"{entries:,} entries in {seconds:.0f} s: {alarms} false alarms, {inconclusive:.4%} inconclusive"
    Console().print(said, highlight=False)
    alarms += sum(tally.alarms for tally in trained.values())
    return int(alarms > 0 or inconclusive >= MOST_INCONCLUSIVE)


if __name__ == "__main__":
    sys.exit(main())
