"""The checker checked: every bug of the catalogue in every network where it shows, and the networks without any."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from cnnbp.gradcheck.bugs import FittingBug, fitting_bugs, plant
from cnnbp.gradcheck.check import check_network
from cnnbp.gradcheck.results import GradcheckReport, Outcome
from cnnbp.layers import LayerSpec, Residual
from cnnbp.layers.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.dense import Dense
from cnnbp.layers.dropout import Dropout
from cnnbp.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from cnnbp.layers.reshape import Flatten
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from cnnbp.network import Network

IMAGES, ENTRIES = 4, 40


@dataclass(frozen=True)
class Detection:
    """One bug planted in one network. `caught` means: the check fails and blames this layer and no other."""

    network: str
    layer: str
    bug: str
    story: str
    detected: bool
    blame: tuple[str, ...]
    end_to_end: bool

    @property
    def caught(self) -> bool:
        """Whether the check fails and blames the right layer."""
        return self.detected and self.blame == (self.layer,)


@dataclass(frozen=True)
class SelfTestReport:
    """Every planted bug, and the verdicts on the networks as they are."""

    detections: tuple[Detection, ...]
    unbroken: dict[str, Outcome]
    seconds: float

    @property
    def verdict(self) -> Outcome:
        """Pass if every bug is caught and nothing else fails."""
        caught = all(detection.caught for detection in self.detections)
        return "pass" if caught and set(self.unbroken.values()) == {"pass"} else "fail"

    @property
    def kinds(self) -> int:
        """How many different bugs were planted, whatever the network."""
        return len({(detection.layer.rstrip("0123456789"), detection.bug) for detection in self.detections})


def self_test(progress: Callable[[int, int], None] = lambda done, total: None) -> SelfTestReport:
    """Plant every bug of the catalogue wherever it shows in `networks()`, and check."""
    start = perf_counter()
    subjects = dict(networks())
    unbroken = {name: _check(*subject).verdict for name, subject in subjects.items()}
    plans = [(name, fit) for name, (network, loss) in subjects.items() for fit in fitting_bugs(network, loss)]
    detections = []
    for done, (name, fit) in enumerate(plans):
        detections.append(_detect(name, *subjects[name], fit))
        progress(done + 1, len(plans))
    return SelfTestReport(tuple(detections), unbroken, perf_counter() - start)


def networks() -> Iterator[tuple[str, tuple[Network, Loss]]]:
    """Yield small networks, by name, in which every bug of the catalogue shows somewhere."""
    lecture = [Conv2d(filters=1, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=1)]
    yield "lecture", (Network((1, 6, 6), lecture), BinaryCrossEntropy())
    windows = [
        Conv2d(filters=2, kernel=3, pad="same"),
        LeakyReLU(slope=0.2),
        MaxPool2d(kernel=3, stride=2, pad=1),
        Conv2d(filters=4, kernel=(2, 3), stride=(1, 2), pad=2, dilation=(2, 1), groups=2),
        Tanh(),
        AvgPool2d(kernel=2, stride=1, pad=1),
        Flatten(),
        Dense(units=3),
    ]
    yield "windows", (Network((2, 7, 6), windows), CrossEntropy(class_weights=(1.0, 2.0, 0.5)))
    block = Residual(layers=(Conv2d(filters=3, kernel=3, pad="same", bias=False), BatchNorm(), ELU(alpha=0.7)))
    blocks: list[LayerSpec] = [
        Conv2d(filters=3, kernel=2, stride=2),
        BatchNorm(),
        ReLU(),
        block,
        GlobalAvgPool2d(),
        Flatten(),
        Dense(units=2),
    ]
    yield "blocks", (Network((2, 8, 6), blocks), MeanSquaredError())
    smooth = [
        Conv2d(filters=2, kernel=(3, 2)),
        GELU(),
        AvgPool2d(kernel=(2, 3)),
        SiLU(),
        Flatten(),
        Dropout(p=0.3),
        Dense(units=4),
        Sigmoid(),
        BatchNorm(),
        Dense(units=3),
    ]
    yield "smooth", (Network((1, 7, 8), smooth), CrossEntropy(label_smoothing=0.1))


def _detect(name: str, network: Network, loss: Loss, fit: FittingBug) -> Detection:
    report = _check(*plant(network, loss, f"{fit.layer}:{fit.bug}"))
    end_to_end = any(tensor.verdict == "fail" for tensor in report.tensors)
    return Detection(name, fit.layer, fit.bug, fit.story, report.verdict == "fail", report.blame, end_to_end)


def _check(network: Network, loss: Loss) -> GradcheckReport:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*network.input_shape, IMAGES))
    labels = np.arange(IMAGES) % max(network.output_shape[0], 2)
    return check_network(
        network, loss, network.initial_parameters(1), network.initial_state(), x, labels, entries=ENTRIES
    )
