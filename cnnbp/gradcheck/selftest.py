"""The checker checked: every bug of the catalogue in every network where it shows, and the networks without any."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType

import numpy as np

from cnnbp.gradcheck.as_trained import AsTrained, Training, check_as_trained
from cnnbp.gradcheck.bugs import FittingBug, fitting_bugs, plant, plant_in_training
from cnnbp.gradcheck.check import check_network
from cnnbp.gradcheck.point import Point
from cnnbp.gradcheck.results import GradcheckReport, Outcome, WorstEntry
from cnnbp.layers import LayerSpec, Residual
from cnnbp.layers.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.dense import Dense
from cnnbp.layers.dropout import Dropout
from cnnbp.layers.groupnorm import GroupNorm
from cnnbp.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from cnnbp.layers.reshape import Flatten
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from cnnbp.network import Network

IMAGES, ENTRIES = 4, 40
Subject = tuple[Network, Loss]
TrainedSubject = tuple[Network, Loss, Training]


@dataclass(frozen=True)
class Detection:
    """One bug planted in one network. `caught` means: the check fails and blames this layer and no other."""

    network: str
    layer: str
    type: str
    bug: str
    story: str
    detected: bool
    blame: tuple[str, ...]
    end_to_end: bool
    wrong: tuple[str, ...]  # the layer's own gradients that fail: dx, dW, …
    worst: WorstEntry | None
    hint: str | None

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
    def kinds(self) -> dict[tuple[str, str], tuple[Detection, ...]]:
        """What became of each bug of each type of layer, in all networks together."""
        found: dict[tuple[str, str], tuple[Detection, ...]] = {}
        for detection in self.detections:
            key = detection.type, detection.bug
            found[key] = (*found.get(key, ()), detection)
        return found


def self_test(
    subjects: Mapping[str, Subject],
    progress: Callable[[int, int], None] = lambda done, total: None,
    only: Callable[[FittingBug], bool] = lambda fit: True,
    trained: Mapping[str, TrainedSubject] = MappingProxyType({}),
) -> SelfTestReport:
    """Check networks as they are, and with every bug of the catalogue (or `only` some) wherever it shows in one.

    Those of fast code and of engines are planted in how the networks `trained` would be.
    """
    start = perf_counter()
    unbroken = {name: check_subject(*subject).verdict for name, subject in subjects.items()}
    unbroken |= {name: _check_training(*subject).verdict for name, subject in trained.items()}
    layers = [(name, fit) for name, subject in subjects.items() for fit in fitting_bugs(*subject) if only(fit)]
    fast = [(name, fit) for name, subject in trained.items() for fit in bugs_in_training(*subject) if only(fit)]
    detections = []
    for done, (name, fit) in enumerate((*layers, *fast)):
        planted = done < len(layers)
        detections.append(
            _detect(name, *subjects[name], fit) if planted else _detect_in_training(name, *trained[name], fit)
        )
        progress(done + 1, len(layers) + len(fast))
    return SelfTestReport(tuple(detections), unbroken, perf_counter() - start)


def bugs_in_training(network: Network, loss: Loss, training: Training) -> list[FittingBug]:
    """Return the bugs that can be planted in fast code and in engines."""
    return fitting_bugs(network, loss, training)[len(fitting_bugs(network, loss)) :]


def networks() -> dict[str, Subject]:
    """Return small networks, by name, in which every bug of the catalogue shows somewhere."""
    return {"lecture": _lecture(), "windows": _windows(), "blocks": _blocks(), "smooth": _smooth()}


def _lecture() -> Subject:
    lecture = [Conv2d(filters=1, kernel=3), ReLU(), MaxPool2d(kernel=2), Flatten(), Dense(units=1)]
    return Network((1, 6, 6), lecture), BinaryCrossEntropy()


def _windows() -> Subject:
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
    return Network((2, 7, 6), windows), CrossEntropy(class_weights=(1.0, 2.0, 0.5))


def _blocks() -> Subject:
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
    return Network((2, 8, 6), blocks), MeanSquaredError()


def _smooth() -> Subject:
    smooth = [
        Conv2d(filters=4, kernel=(3, 2)),
        GroupNorm(groups=2),
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
    return Network((1, 7, 8), smooth), CrossEntropy(label_smoothing=0.1)


def trained_networks() -> dict[str, TrainedSubject]:
    """Return small networks and how they would be trained, by name: every mistake in doing that shows somewhere."""
    return {"strips": _strips(), "rows": _rows()}


def _strips() -> TrainedSubject:
    strips = [
        Conv2d(filters=16, kernel=3, pad="same"),
        ReLU(),
        MaxPool2d(kernel=2),
        Conv2d(filters=16, kernel=3, pad="same"),
        BatchNorm(),
        ReLU(),
        Dropout(p=0.2),
        Conv2d(filters=16, kernel=3, pad="same"),
        ReLU(),
        MaxPool2d(kernel=2),
        Flatten(),
        Dense(units=3),
    ]
    return Network((1, 16, 16), strips), CrossEntropy(), Training(batch=20, micro_batch=8)


def _rows() -> TrainedSubject:
    rows = [
        Conv2d(filters=3, kernel=3, pad="same"),
        Conv2d(filters=6, kernel=3, pad="same"),
        ReLU(),
        MaxPool2d(kernel=2),
        Conv2d(filters=4, kernel=3, stride=2, pad=1),
        MaxPool2d(kernel=3, stride=1),
        MaxPool2d(kernel=2),
        ReLU(),
        Flatten(),
        Dense(units=2),
    ]
    return Network((2, 18, 16), rows), MeanSquaredError(), Training(batch=8, micro_batch=8)


def _detect_in_training(name: str, network: Network, loss: Loss, training: Training, fit: FittingBug) -> Detection:
    planted = plant_in_training(network, training, fit.spelling)
    assert planted
    found = _check_training(network, loss, planted)
    own = [deviation.tensor for deviation in found.operations if deviation.node == fit.layer and deviation.wrong]
    return Detection(
        network=name,
        layer=fit.layer,
        type=fit.type,
        bug=fit.bug,
        story=fit.story,
        detected=found.verdict == "fail",
        blame=found.blame,
        end_to_end=any(deviation.wrong for deviation in found.step),
        wrong=tuple(dict.fromkeys(own)),
        worst=None,
        hint=found.hint,
    )


def _detect(name: str, network: Network, loss: Loss, fit: FittingBug) -> Detection:
    report = check_subject(*plant(network, loss, fit.spelling))
    [own] = (layer for layer in report.layers if layer.name == fit.layer)
    failed = [tensor for tensor in own.tensors if tensor.verdict == "fail"]
    return Detection(
        network=name,
        layer=fit.layer,
        type=fit.type,
        bug=fit.bug,
        story=fit.story,
        detected=report.verdict == "fail",
        blame=report.blame,
        end_to_end=any(tensor.verdict == "fail" for tensor in report.tensors),
        wrong=tuple(dict.fromkeys(f"d{tensor.name}" for tensor in failed)),
        worst=failed[0].worst if failed else None,
        hint=own.hint,
    )


def _check_training(network: Network, loss: Loss, training: Training) -> AsTrained:
    return check_as_trained(_point(network, loss), training)


def check_subject(network: Network, loss: Loss) -> GradcheckReport:
    """Check a network on a small batch of noise, at most a few entries of each tensor."""
    point = _point(network, loss)
    return check_network(network, loss, point.params, point.state, point.x, point.labels, entries=ENTRIES)


def _point(network: Network, loss: Loss) -> Point:
    x = np.random.default_rng(0).normal(size=(*network.input_shape, IMAGES))
    labels = np.arange(IMAGES) % max(network.output_shape[0], 2)
    return Point(network, loss, network.initial_parameters(1), network.initial_state(), x, labels)
