"""References of small networks, made as `cnnbp grads --save` makes them, and what other programs might make of them."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from cnnbp.config import parse_config
from cnnbp.gradcheck.bugs import plant
from cnnbp.inspect.images import random_images
from cnnbp.inspect.record import Model, record_batch
from cnnbp.porting.layouts import Layout
from cnnbp.porting.reference import Reference, reference_of
from cnnbp.porting.tensors import computed_tensors, pass_of

HEAD = "input: {channels: 3, height: 6, width: 5}\nloss: cross_entropy\nlayers:\n"
NORMED = HEAD + (
    "  - conv2d: {filters: 3, kernel: 3}\n  - batchnorm\n  - relu\n  - dropout: {p: 0.4}\n"
    "  - residual: {layers: [{conv2d: {filters: 3, kernel: 3, pad: same}}, tanh]}\n"
    "  - maxpool2d: {kernel: 2}\n  - flatten\n  - dense: {units: 3}\n"
)
PLAIN = HEAD + (
    "  - conv2d: {filters: 3, kernel: 3}\n  - relu\n  - maxpool2d: {kernel: 2, stride: 1}\n"
    "  - flatten\n  - dense: {name: hidden, units: 4}\n  - tanh\n  - dense: {name: dense1, units: 3}\n"
)
VARIED = HEAD + (
    "  - conv2d: {filters: 4, kernel: 3, pad: 1}\n  - leaky_relu: {slope: 0.2}\n  - elu: {alpha: 0.5}\n  - gelu\n"
    "  - silu\n  - sigmoid\n  - conv2d: {filters: 4, kernel: 2, dilation: 2, pad: same, groups: 2}\n"
    "  - avgpool2d: {kernel: 2, stride: 1, pad: 1}\n  - global_avgpool2d\n  - flatten\n  - dense: {units: 3}\n"
)


@dataclass(frozen=True)
class Batch:
    """A network with drawn parameters, biases too, and a batch for it."""

    config: Any
    images: Any
    model: Model

    def reference(self, layout=Layout.CHWM, *, dropout=False) -> Reference:
        record = record_batch(self.model, self.images.x, self.images.labels, dropout=dropout)
        return reference_of(record, self.config, self.images, layout)

    def with_bug(self, spelling, layout=Layout.CHWM, *, dropout=False):
        """Return every computed tensor of the network with a bug of the catalogue planted."""
        network, loss = plant(self.model.network, self.model.loss, spelling)
        model = Model(network, loss, self.model.params, self.model.state)
        record = record_batch(model, self.images.x, self.images.labels, dropout=dropout)
        tensors = computed_tensors(network, pass_of(record))
        return {tensor.name: layout.arranged(tensor.array, tensor.axes) for tensor in tensors}


@cache
def batch(text, *, images=4):
    config = parse_config(text, "c.yaml")
    drawn, network = random_images(config, images), config.network
    params = network.initial_parameters(0, np.float64)
    params.vector += 0.1 * np.random.default_rng(0).normal(size=params.vector.shape)
    loss = config.loss.balanced(drawn.class_counts)
    return Batch(config, drawn, Model(network, loss, params, network.initial_state()))


@cache
def reference(text, layout=Layout.CHWM, *, dropout=False):
    return batch(text).reference(layout, dropout=dropout)


def read_back(path):
    """Return the description and the arrays of a written .npz, read with NumPy alone."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    return json.loads(arrays.pop("description").tobytes()), arrays


def single(arrays):
    """Return arrays as a program in float32 would write them."""
    return {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in arrays.items()}
