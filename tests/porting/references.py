"""References of small networks, made as `cnnbp grads --save` makes them."""

import json

import numpy as np

from cnnbp.config import parse_config
from cnnbp.inspect.images import random_images
from cnnbp.inspect.record import Model, record_batch
from cnnbp.porting.layouts import Layout
from cnnbp.porting.reference import reference_of

HEAD = "input: {channels: 3, height: 6, width: 5}\nloss: cross_entropy\nlayers:\n"
NORMED = HEAD + (
    "  - conv2d: {filters: 3, kernel: 3}\n  - batchnorm\n  - relu\n  - dropout: {p: 0.4}\n"
    "  - residual: {layers: [{conv2d: {filters: 3, kernel: 3, pad: same}}, tanh]}\n"
    "  - maxpool2d: {kernel: 2}\n  - flatten\n  - dense: {units: 3}\n"
)
PLAIN = HEAD + (
    "  - conv2d: {filters: 3, kernel: 3}\n  - relu\n  - maxpool2d: {kernel: 2}\n"
    "  - flatten\n  - dense: {name: hidden, units: 4}\n  - tanh\n  - dense: {name: dense1, units: 3}\n"
)


def reference(text, layout=Layout.CHWM, *, images=4, dropout=False, seed=0):
    """Return the reference of a configuration's network with drawn parameters, biases too."""
    config = parse_config(text, "c.yaml")
    batch, network = random_images(config, images), config.network
    params = network.initial_parameters(seed, np.float64)
    params.vector += 0.1 * np.random.default_rng(seed).normal(size=params.vector.shape)
    model = Model(network, config.loss.balanced(batch.class_counts), params, network.initial_state())
    record = record_batch(model, batch.x, batch.labels, dropout=dropout, seed=seed)
    return reference_of(record, config, batch, layout)


def read_back(path):
    """Return the description and the arrays of a written .npz, read with NumPy alone."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    return json.loads(arrays.pop("description").tobytes()), arrays
