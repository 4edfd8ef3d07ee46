"""The tensors of one batch by name, in the order in which they are computed: forward, the loss, and backward."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np

from cnnbp.arrays import Array
from cnnbp.inspect.record import Record, dropout_masks, image_gradients
from cnnbp.layers.batchnorm import BatchNorm
from cnnbp.layers.conv import Conv2d
from cnnbp.layers.dense import Dense
from cnnbp.network import INPUT, Network, Node
from cnnbp.porting.layouts import IMAGE, Axes

IMAGES = "X"  # what the images are called

_KERNEL, _MATRIX, _MAPS = ("filter", "channel", "row", "column"), ("unit", "feature"), ("channel", "row", "column")


class Tensor(NamedTuple):
    """An array, in cnnbp's own layout, with its name and the names of its axes."""

    name: str
    axes: Axes
    array: Array


@dataclass(frozen=True, eq=False)
class Pass:
    """What one pass over a batch computed: values and ∂L/∂value by node index, ∂L/∂θ by "conv1.W", losses (M,)."""

    values: Mapping[int, Array]
    gradients: Mapping[int, Array]
    parameters: Mapping[str, Array]
    losses: Array


def pass_of(record: Record) -> Pass:
    """Return what a recorded batch computed."""
    places = [INPUT, *range(len(record.model.network.nodes))]
    values = {place: record.tape.values[place] for place in places}
    gradients = {place: record.tape.gradients[place] for place in places}
    return Pass(values, gradients, dict(record.gradient.named()), record.losses)


def given_tensors(record: Record) -> Iterator[Tensor]:
    """Yield what the batch starts from: images, labels, parameters, and what dropout keeps."""
    network = record.model.network
    yield Tensor(IMAGES, value_axes(network.input_shape), record.tape.values[INPUT])
    yield Tensor("y", (IMAGE,), record.labels)
    for node in network.nodes:
        for name, theta in record.tape.params.of(node.name).items():
            yield Tensor(f"param/{node.name}.{name}", parameter_axes(node, name), theta)
    for index, mask in dropout_masks(record.tape).items():
        node = network.nodes[index]
        yield Tensor(f"mask/{node.name}", value_axes(node.output_shape), mask)


def computed_tensors(network: Network, ran: Pass) -> Iterator[Tensor]:
    """Yield what is computed from it, each when all that it is made of is there."""
    for node in network.nodes:
        if isinstance(node.layer, BatchNorm):
            mean, var = batch_statistics(ran.values[node.inputs[0]])
            yield Tensor(f"mean/{node.name}", ("channel",), mean)
            yield Tensor(f"var/{node.name}", ("channel",), var)
        yield Tensor(f"value/{node.name}", value_axes(node.output_shape), ran.values[node.index])
    last = network.nodes[-1]
    yield Tensor("logits", value_axes(last.output_shape), ran.values[last.index])
    yield Tensor("losses", (IMAGE,), ran.losses)
    yield Tensor("loss", (), np.asarray(ran.losses.mean()))
    yield Tensor(f"grad/{last.name}", value_axes(last.output_shape), ran.gradients[last.index])
    for node in reversed(network.nodes):
        yield from _gradients(network, node, ran)


def _gradients(network: Network, node: Node, ran: Pass) -> Iterator[Tensor]:
    """Yield ∂L/∂θ of a node, and ∂L/∂ each value that no earlier node reads: those sums are complete."""
    for name in node.parameter_specs:
        yield Tensor(f"grad/{node.name}.{name}", parameter_axes(node, name), ran.parameters[f"{node.name}.{name}"])
    for value in dict.fromkeys(node.inputs):
        if network.readers[value][0] is node:
            shape = network.input_shape if value == INPUT else network.nodes[value].output_shape
            yield Tensor(f"grad/{value_name(network, value)}", value_axes(shape), ran.gradients[value])


def image_gradient_tensors(record: Record) -> Iterator[Tensor]:
    """Yield each parameter's gradient image by image, (…, M); the images must not be coupled."""
    shares = [dict(gradient.named()) for gradient in image_gradients(record)]
    for node in reversed(record.model.network.nodes):
        for name in node.parameter_specs:
            stack = np.stack([share[f"{node.name}.{name}"] for share in shares], axis=-1)
            yield Tensor(f"image_grad/{node.name}.{name}", (*parameter_axes(node, name), IMAGE), stack)


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """Return a batch norm's mean and variance (C,) of x (C, …, M)."""
    rows = x.reshape(len(x), -1)
    return rows.mean(axis=1), rows.var(axis=1)


def is_given(name: str) -> bool:
    """Whether a tensor is what a batch starts from, and not computed."""
    return name in (IMAGES, "y") or name.startswith(("param/", "mask/"))


def longest_sum(nodes: Sequence[Node], images: int) -> int:
    """Return how many terms the longest sum has: over places and images for a filter's gradient, else over inputs."""
    maps = [prod(shape[1:]) for node in nodes for shape in (*node.input_shapes, node.output_shape)]
    rows = [prod(spec.shape[1:]) for node in nodes for spec in node.parameter_specs.values()]
    return max([images * max(maps), *rows])


def value_name(network: Network, value: int) -> str:
    """Return what a value is called: its node's name, X for the images."""
    return IMAGES if value == INPUT else network.nodes[value].name


def value_axes(shape: tuple[int, ...]) -> Axes:
    """Name the axes of a value, without and with its batch."""
    return (*{3: _MAPS, 1: ("feature",)}.get(len(shape), _numbered(len(shape))), IMAGE)


def parameter_axes(node: Node, name: str) -> Axes:
    """Name the axes of a parameter."""
    ndim = len(node.parameter_specs[name].shape)
    if isinstance(node.layer, Conv2d):
        return _KERNEL[:ndim]
    if isinstance(node.layer, Dense):
        return _MATRIX[:ndim]
    return ("channel", *_numbered(ndim)[1:])[:ndim]


def _numbered(ndim: int) -> Axes:
    return tuple(f"axis {axis}" for axis in range(ndim))
