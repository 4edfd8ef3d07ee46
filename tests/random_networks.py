"""Networks drawn at random over every layer and option: one seed, one network with its parameters and a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from cnnbp.arrays import Arena, Array, Shape
from cnnbp.errors import ShapeError
from cnnbp.fast import Planner
from cnnbp.layers import LAYERS, SPELLINGS, Layer, LayerSpec, Residual
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from cnnbp.network import Network
from cnnbp.parameters import Parameters, Tensors
from cnnbp.tape import Tape
from tests.samples import Dice, Options, samples_of

ACTIVATIONS = tuple(layer.type for layer in LAYERS if layer.suits)
OVER_MAPS = [*(layer.type for layer in LAYERS for _ in range(samples_of(layer).over_maps)), *["residual"] * 3]
OVER_FEATURES = [*(layer.type for layer in LAYERS for _ in range(samples_of(layer).over_features)), "residual"]
ANYWHERE = [
    *(layer.type for layer in LAYERS if samples_of(layer).over_maps and samples_of(layer).over_features),
    "residual",
]


@dataclass(frozen=True)
class RandomNetwork:
    """A network in float64 with all that a step needs: biases, γ and β lie away from 0 and 1."""

    seed: int
    layers: tuple[LayerSpec, ...]
    network: Network
    loss: Loss
    params: Parameters
    state: Tensors
    x: Array  # (C, H, W, M)
    labels: Array  # (M,)

    def __str__(self) -> str:
        """Return all that is needed to build it again."""
        layers = [{layer.type: layer.model_dump(mode="json", exclude_unset=True)} for layer in self.layers]
        return f"seed {self.seed}: input {self.x.shape}, layers {layers}, loss {self.loss!r}"


def random_network(seed: int) -> RandomNetwork:
    """Draw a small network over images of unequal sides, its loss, its parameters and a batch of 3 to 6 images."""
    rng = np.random.default_rng(seed)
    input_shape = (int(rng.integers(1, 5)), int(rng.integers(4, 10)), int(rng.integers(4, 10)))
    return _drawn(seed, _Author(rng, input_shape))


def training_network(seed: int) -> RandomNetwork:
    """Draw a network wide enough for every kernel that trains, and a batch of 8 to 40 images."""
    rng = np.random.default_rng([seed, 2])
    input_shape = (int(rng.integers(1, 5)), int(rng.integers(8, 21)), int(rng.integers(8, 21)))
    return _drawn(seed, _WideAuthor(rng, input_shape), int(rng.integers(8, 41)))


def _drawn(seed: int, author: "_Author", images: int | None = None) -> RandomNetwork:
    rng, input_shape = author.rng, author.shape
    loss, classes = author.loss()
    layers = author.layers(loss.outputs(classes))
    network = Network(input_shape, layers)
    params = network.initial_parameters(seed, np.float64)
    params.vector += 0.3 * rng.normal(size=params.vector.shape) * (network.decays() == 0)
    state = {
        name: {
            "running_mean": 0.3 * rng.normal(size=tensors["running_mean"].shape),
            "running_var": rng.uniform(0.5, 2, size=tensors["running_var"].shape),
        }
        for name, tensors in network.initial_state().items()
    }
    M = images or int(rng.integers(3, 7))
    x, labels = rng.normal(size=(*input_shape, M)), rng.integers(0, classes, M)
    return RandomNetwork(seed, tuple(layers), network, loss, params, state, x, labels)


def run(
    drawn: RandomNetwork, *, keep_everything: bool = True, training: bool = True, planner: Planner | None = None
) -> tuple[Tape, Parameters]:
    """Take the batch through the network and back as one micro-batch: the tape, and ∂L/∂θ of the mean loss."""
    tape = Tape(
        drawn.network,
        drawn.params,
        drawn.state,
        drawn.x.copy(),
        Arena(),
        training=training,
        keep_everything=keep_everything,
        stream=(drawn.seed, 0, 0),
        planner=planner,
    )
    logits = tape.forward()
    _, cache = drawn.loss.forward(logits, drawn.labels)
    tape.gradients[drawn.network.nodes[-1].index] = drawn.loss.backward(cache, len(drawn.labels))
    gradient = drawn.params.layout.zeros(drawn.params.vector.dtype)
    tape.backward(gradient)
    return tape, gradient


class _Author(Dice):
    """Writes layers one after the other; `shape` is what the next one gets."""

    def __init__(self, rng: np.random.Generator, shape: Shape) -> None:
        super().__init__(rng)
        self.shape = shape

    def layers(self, outputs: int) -> list[LayerSpec]:
        layers = [self.fitting(OVER_MAPS) for _ in range(self.size(1, 4))]
        if self.any_of([True, False, False]):
            layers.append(self.fitting(["global_avgpool2d"]))
        layers.append(self.fitting(["flatten"]))
        layers += [self.fitting(OVER_FEATURES) for _ in range(self.size(0, 2))]
        return [*layers, self.accepted("dense", {"units": outputs, "bias": self.any_of([True, False])})]

    def fitting(self, types: Sequence[str]) -> LayerSpec:
        """Draw until a layer fits the shape that has been reached."""
        while True:
            type_ = self.any_of(types)
            before = self.shape
            try:
                return self.accepted(type_, self.options(type_))
            except (ShapeError, ValidationError):
                self.shape = before

    def options(self, type_: str) -> Options:
        """Draw a layer's options."""
        if type_ == "residual":
            return self._residual()
        layer = SPELLINGS[type_]
        assert issubclass(layer, Layer)
        return samples_of(layer).options(self, self.shape)

    def accepted(self, type_: str, options: dict[str, Any]) -> LayerSpec:
        layer = SPELLINGS[type_].model_validate(options)
        assert isinstance(layer, Layer | Residual)
        self.shape = Network(self.shape, [layer]).output_shape
        return layer

    def loss(self) -> tuple[Loss, int]:
        """Draw a loss and the number of its classes."""
        loss = self.any_of([BinaryCrossEntropy, CrossEntropy, CrossEntropy, MeanSquaredError])
        classes = 2 if loss is BinaryCrossEntropy else self.size(2, 4)
        options: dict[str, Any] = {}
        if self.any_of([True, False]):
            options["class_weights"] = self.rng.uniform(0.5, 2, classes).tolist()
        if loss is not MeanSquaredError:
            options["label_smoothing"] = self.any_of([0.0, 0.1])
        return loss.model_validate(options), classes

    def _residual(self) -> dict[str, Any]:
        """Draw a block of layers beside x itself, or beside a shortcut that changes the shape alike."""
        before = self.shape
        inner = [self.fitting(ANYWHERE)] if self.any_of([True, False, False]) else []
        if self.shape == before:
            units = self.any_of([before[0], self.size(2, 6)]) if before[0] <= 8 else self.size(2, 6)
            inner.append(self._same_padded(units, self.pair(1, 3), stride=self.pair(1, 2)))
        inner += [self.fitting([*ACTIVATIONS, "batchnorm"])] if self.any_of([True, False]) else []
        if self.shape == before:
            return {"layers": inner}
        after, self.shape = self.shape, before
        stride = [-(-n // out) for n, out in zip(before[1:], after[1:], strict=True)]
        shortcut = [self._same_padded(after[0], [1, 1], stride)]
        self.shape = before
        return {"layers": inner, "shortcut": shortcut}

    def _same_padded(self, units: int, kernel: list[int], stride: list[int]) -> LayerSpec:
        """Write a convolution whose output size follows from the stride alone, or a dense layer where x is flat."""
        if len(self.shape) == 1:
            return self.accepted("dense", {"units": units})
        return self.accepted("conv2d", {"filters": units, "kernel": kernel, "stride": stride, "pad": "same"})


class _WideAuthor(_Author):
    """Writes convolutions as they are in networks that are trained: many filters, mostly small steps."""

    def layers(self, outputs: int) -> list[LayerSpec]:
        first = self.accepted("conv2d", {"filters": self.any_of([4, 16, 24]), "kernel": 3, "pad": "same"})
        more = [self.fitting(["relu", "maxpool2d", "batchnorm", "conv2d"]) for _ in range(self.size(1, 3))]
        return [first, *more, *super().layers(outputs)]

    def options(self, type_: str) -> Options:
        narrow = super().options(type_)
        return getattr(self, f"_wide_{type_}", lambda narrow: narrow)(narrow)

    def _wide_conv2d(self, narrow: Options) -> Options:
        k = self.any_of([1, 2, 3, 3, 3, 4, 5, 7])
        wide = {
            "filters": self.any_of([8, 16, 16, 24, 32]),
            "kernel": self.any_of([k, k, [k, self.size(1, 5)]]),
            "stride": self.any_of([1, 1, 1, 1, 2]),
            "pad": self.any_of(["same", "same", "same", "valid", 1]),
            "groups": 1,
            "dilation": 1,
        }
        return narrow | wide if self.any_of([True, True, True, False]) else narrow

    def _wide_maxpool2d(self, narrow: Options) -> Options:
        return {"kernel": 2} if self.any_of([True, False]) else narrow

    def _wide_dense(self, narrow: Options) -> Options:
        return {"units": self.any_of([6, 20, 64]), "bias": self.any_of([True, False])}
