"""Pages for tests: documents of inspected batches, and their numbers read back."""

from base64 import b64decode

import numpy as np

from cnnbp.inspect.examine import inspect_batch
from cnnbp.inspect.images import Images
from cnnbp.inspect.record import Model
from cnnbp.layers import BatchNorm, Conv2d, Dense, Flatten, ReLU
from cnnbp.losses import CrossEntropy
from cnnbp.network import Network
from cnnbp.optimizers import SGD, Adam
from cnnbp.page.document import Page, page_document
from tests.inspect.lecture import X, Y, lecture_model
from tests.random_networks import random_network

LECTURE = Images(X, Y, ["a.png", "b.png", "c.png", "d.png"], ["no", "yes"], [2, 2], "/somewhere/strokes")


def lecture_inspection(optimizer=None):
    return inspect_batch(lecture_model(), LECTURE, optimizer or SGD(lr=0.5))


def lecture_document(planted=None, **options):
    return page_document(Page("lecture.yaml", lecture_inspection(Adam(lr=0.05)), planted, **options))


def random_inspection(seed):
    drawn = random_network(seed)
    model = Model(drawn.network, drawn.loss, drawn.params, drawn.state)
    count, outputs = len(drawn.labels), drawn.network.output_shape[0]
    classes = [f"class {k}" for k in range(max(outputs, 2))]
    images = Images(drawn.x, drawn.labels, [f"{m}.png" for m in range(count)], classes, [1] * len(classes), "noise")
    return inspect_batch(model, images, SGD(lr=0.1), most_shares=10_000)


def coupled_inspection():
    layers = [Conv2d(filters=4, kernel=3), BatchNorm(), ReLU(), Flatten(), Dense(units=5), BatchNorm(), Dense(units=3)]
    network = Network((2, 8, 8), layers)
    model = Model(network, CrossEntropy(), network.initial_parameters(0), network.initial_state())
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 6))
    images = Images(x, np.arange(6) % 3, [f"{m}" for m in range(6)], ["a", "b", "c"], [2] * 3, "noise")
    return inspect_batch(model, images, SGD())


def numbers(document, symbol):
    """Decode a tensor of a page's document: (…, M) where it is batched."""
    tensor = document["tensors"][symbol]
    shape = (*tensor["shape"], document["shown"]) if tensor["batched"] else tensor["shape"]
    return np.frombuffer(b64decode(tensor["data"]), "<f8" if document["exact"] else "<f4").reshape(shape)
