"""The sample layers: the one table from which tests take a layer's options and the shapes that it is for.

An entry puts a layer under the contract (`tests/layers/test_contract.py`), into random networks, and so into exports
and the comparison with PyTorch, and under every test that goes through all layers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from cnnbp.arrays import Shape
from cnnbp.layers import (
    ELU,
    GELU,
    Add,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    GroupNorm,
    Layer,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
)

Choice = TypeVar("Choice")
Options = dict[str, Any]
Sample = tuple[Layer, Shape]


class Dice:
    """What random options are drawn with."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def any_of(self, choices: Sequence[Choice]) -> Choice:
        return choices[self.rng.integers(len(choices))]

    def size(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def pair(self, low: int, high: int) -> list[int]:
        return [self.size(low, high), self.size(low, high)]


@dataclass(frozen=True)
class Samples:
    """How one layer is tested.

    `ways` are the layer in each way that it works, with an input shape; of a layer with several inputs all have it.
    `options` draws some for an input shape, each with several values. Of the layers in a random network over feature
    maps, and of those over features, this one stands in so many of the chances. `is_random` and `has_state` layers are
    something else after training.
    """

    ways: tuple[Sample, ...]
    options: Callable[[Dice, Shape], Options] = lambda dice, shape: {}
    over_maps: int = 0
    over_features: int = 0
    inputs: int = 1
    is_random: bool = False
    has_state: bool = False


MAPS, FEATURES = (2, 3, 4), (5,)
WIDE = (2, 5, 7)  # channels, and sides that differ
WINDOWS: Sequence[Options] = (
    {"kernel": 2},  # a last row and column that no window sees
    {"kernel": 1},
    {"kernel": (5, 7)},
    {"kernel": 3, "stride": 1},  # overlapping
    {"kernel": (3, 2), "stride": (2, 1)},
    {"kernel": 2, "stride": 3},  # gaps between the windows
    {"kernel": (3, 2), "pad": 1},
    {"kernel": (2, 3), "stride": (1, 2), "pad": (1, 2)},
    {"kernel": 2, "pad": "same"},
    {"kernel": (3, 4), "stride": (2, 1), "pad": "same"},
    {"kernel": (2, 3), "pad": "valid"},
)


def _convolution(dice: Dice, shape: Shape) -> Options:
    groups = dice.any_of([n for n in range(1, shape[0] + 1) if shape[0] % n == 0])
    return {
        "filters": groups * dice.size(1, 3),
        "kernel": dice.pair(1, 3),
        "stride": dice.any_of([1, 1, dice.pair(1, 3)]),
        "pad": dice.any_of([dice.size(0, 2), dice.pair(0, 2), "same", "valid"]),
        "dilation": dice.any_of([1, 1, dice.pair(1, 2)]),
        "groups": groups,
        "bias": dice.any_of([True, True, False]),
    }


def _pool(dice: Dice, shape: Shape) -> Options:
    options = {"kernel": dice.pair(1, 3), "pad": dice.any_of([0, dice.pair(0, 2), "same", "valid"])}
    return options | dice.any_of([{}, {"stride": dice.pair(1, 3)}])


def _activation(*layers: Layer, options: Callable[[Dice, Shape], Options] = lambda dice, shape: {}) -> Samples:
    """Return the samples of a layer that takes any shape; the first of them over feature maps, the others not."""
    first, *more = layers
    return Samples(
        ((first, MAPS), *((layer, FEATURES) for layer in more or [first])), options, over_maps=1, over_features=1
    )


SAMPLES: Mapping[type[Layer], Samples] = {
    Conv2d: Samples(
        (
            (Conv2d(filters=3, kernel=3), WIDE),
            (Conv2d(filters=3, kernel=1), WIDE),
            (Conv2d(filters=1, kernel=(5, 7)), WIDE),  # one window, as large as the image
            (Conv2d(filters=2, kernel=(3, 2)), (1, 4, 6)),
            (Conv2d(filters=3, kernel=3, bias=False), WIDE),
            (Conv2d(filters=2, kernel=(2, 3), stride=(2, 1)), WIDE),
            (Conv2d(filters=2, kernel=2, stride=3), WIDE),  # rows and columns that no window sees
            (Conv2d(filters=2, kernel=1, stride=(2, 3)), WIDE),
            (Conv2d(filters=2, kernel=(3, 2), pad=1), WIDE),
            (Conv2d(filters=2, kernel=(2, 3), pad=(2, 1)), WIDE),
            (Conv2d(filters=2, kernel=2, pad=3), (1, 3, 2)),  # windows that see nothing but padding
            (Conv2d(filters=2, kernel=(3, 2), stride=(2, 3), pad=(1, 2)), WIDE),
            (Conv2d(filters=2, kernel=(3, 2), pad="same"), WIDE),
            (Conv2d(filters=2, kernel=(3, 2), stride=(2, 3), pad="same"), WIDE),
            (Conv2d(filters=2, kernel=(2, 4), stride=(3, 2), pad="same"), WIDE),
            (Conv2d(filters=2, kernel=(3, 2), pad="valid"), WIDE),
            (Conv2d(filters=2, kernel=(2, 3), dilation=(3, 2)), WIDE),
            (Conv2d(filters=2, kernel=(2, 3), dilation=(3, 2), stride=(1, 2), pad=(2, 1)), WIDE),
            (Conv2d(filters=2, kernel=3, dilation=2, pad="same"), WIDE),
            (Conv2d(filters=6, kernel=(3, 2), groups=2, init="he"), (4, 5, 6)),
            (Conv2d(filters=3, kernel=3, groups=3, pad=1, stride=2), (3, 5, 6)),  # depthwise
            (Conv2d(filters=4, kernel=2, groups=2, dilation=2, pad=(1, 0), stride=(1, 2), bias=False), (2, 5, 6)),
        ),
        _convolution,
        over_maps=2,
    ),
    Dense: Samples(
        (
            (Dense(units=4), (5,)),
            (Dense(units=1, init="zeros"), (7,)),
            (Dense(units=6), (1,)),
            (Dense(units=3, bias=False), (4,)),
        ),
        lambda dice, shape: {"units": dice.size(2, 6), "bias": dice.any_of([True, True, False])},
        over_features=3,
    ),
    MaxPool2d: Samples(tuple((MaxPool2d.model_validate(window), WIDE) for window in WINDOWS), _pool, over_maps=2),
    AvgPool2d: Samples(
        tuple(
            (AvgPool2d.model_validate(window | {"count_include_pad": counted}), WIDE)
            for window in WINDOWS
            for counted in (False, True)
        ),
        lambda dice, shape: _pool(dice, shape) | {"count_include_pad": dice.any_of([True, False])},
        over_maps=2,
    ),
    GlobalAvgPool2d: Samples(((GlobalAvgPool2d(), WIDE), (GlobalAvgPool2d(), (3, 1, 1)))),
    ReLU: _activation(ReLU()),
    LeakyReLU: _activation(
        LeakyReLU(),
        LeakyReLU(slope=0.3),
        LeakyReLU(slope=0),
        options=lambda dice, shape: {"slope": dice.any_of([0.01, 0.2])},
    ),
    ELU: _activation(ELU(), ELU(alpha=0.7), options=lambda dice, shape: {"alpha": dice.any_of([1.0, 0.7])}),
    GELU: _activation(GELU()),
    SiLU: _activation(SiLU()),
    Sigmoid: _activation(Sigmoid()),
    Tanh: _activation(Tanh()),
    BatchNorm: Samples(
        ((BatchNorm(), MAPS), (BatchNorm(eps=0.1, momentum=1), MAPS), (BatchNorm(), FEATURES)),
        lambda dice, shape: {"eps": dice.any_of([1e-5, 1e-3]), "momentum": dice.any_of([0.1, 0.3])},
        over_maps=3,
        over_features=1,
        has_state=True,
    ),
    GroupNorm: Samples(
        (
            (GroupNorm(groups=2), (4, 3, 2)),
            (GroupNorm(groups=1, eps=0.1), MAPS),  # layer norm
            (GroupNorm(groups=2), MAPS),  # instance norm
            (GroupNorm(groups=1), FEATURES),
            (GroupNorm(groups=2), (6,)),
        ),
        lambda dice, shape: {
            # not C > 1: instance norm leaves no mean, so that a batch norm after its global average sees only rounding
            "groups": dice.any_of([n for n in range(1, max(shape[0], 2)) if shape[0] % n == 0]),
            "eps": dice.any_of([1e-5, 1e-3]),
        },
        over_maps=2,
        over_features=1,
    ),
    Dropout: Samples(
        ((Dropout(), MAPS), (Dropout(p=0.2), (9,)), (Dropout(p=0), FEATURES)),
        lambda dice, shape: {"p": dice.any_of([0.0, 0.2, 0.5])},
        over_maps=1,
        over_features=1,
        is_random=True,
    ),
    Flatten: Samples(((Flatten(), MAPS), (Flatten(), (1, 1, 1)), (Flatten(), FEATURES))),
    Add: Samples(((Add(), MAPS), (Add(), FEATURES)), inputs=2),
}


def samples_of(layer: type[Layer]) -> Samples:
    """Return a layer's samples, or fail with the place where they are missing."""
    assert layer in SAMPLES, f"{layer.__name__} has no samples: give it a line in SAMPLES in tests/samples.py"
    return SAMPLES[layer]


def of_one_input() -> list[Sample]:
    """Return each layer that a configuration can spell, in every way that it works."""
    return [way for samples in SAMPLES.values() if samples.inputs == 1 for way in samples.ways]


def first_and_last() -> list[Sample]:
    """Return two ways of each layer that a configuration can spell, for tests that take their time."""
    ways = [samples.ways for samples in SAMPLES.values() if samples.inputs == 1]
    return [way for first, *more in ways for way in (first, *more[-1:])]


def spelled(layer: Layer) -> dict[str, Options]:
    """Return a layer as a configuration writes it."""
    return {layer.type: layer.model_dump(mode="json", exclude_unset=True)}


def label(value: Any) -> str:
    """Return how a test calls a sample."""
    layer, shape = value
    options = ",".join(f"{name}={getattr(layer, name)}" for name in sorted(layer.model_fields_set))
    return f"{layer.type}-{options or 'defaults'}-{'x'.join(map(str, shape))}"
