"""A reference: one batch with every tensor that its forward and backward pass compute, and what describes them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cnnbp import __version__
from cnnbp.arrays import Array
from cnnbp.config import Config, dump_config
from cnnbp.errors import ConfigError
from cnnbp.inspect.images import Images
from cnnbp.inspect.record import Record
from cnnbp.network import Network
from cnnbp.porting.layouts import Axes, Layout
from cnnbp.porting.rounding import rounding_scales
from cnnbp.porting.tensors import (
    IMAGES,
    Tensor,
    computed_tensors,
    given_tensors,
    image_gradient_tensors,
    longest_sum,
    pass_of,
    value_name,
)
from cnnbp.training.checkpoint import without_paths

FORMAT = 1
LARGEST_IMAGE_GRADIENTS = 256 << 20  # bytes of all images' gradients together; more are left out


@dataclass(frozen=True)
class WrittenLayer:
    """A layer as the network has it: its options by name, and which values it reads."""

    name: str
    type: str
    inputs: tuple[str, ...]
    options: dict[str, Any]


@dataclass(frozen=True)
class WrittenLoss:
    """The loss with its options, `balanced` class weights worked out."""

    type: str
    options: dict[str, Any]


@dataclass(frozen=True)
class WrittenTensor:
    """`axes` are those of the file's layout; `rounding` is in `rounding_scales`, 0 for what is given exactly."""

    shape: tuple[int, ...]
    axes: Axes
    rounding: float


@dataclass(frozen=True)
class Description:
    """What a reference holds beside its arrays.

    `terms` is how many the longest sum has, forward or backward; `tensors` are in the order of computation.
    """

    format: int
    cnnbp: str
    layout: Layout
    dropout: bool
    classes: tuple[str, ...]
    images: tuple[str, ...]
    layers: tuple[WrittenLayer, ...]
    loss: WrittenLoss
    terms: int
    tensors: dict[str, WrittenTensor]
    left_out: str | None
    config: str


@dataclass(frozen=True, eq=False)
class Reference:
    """Arrays by name, in the layout of the description, float64 but for labels and masks."""

    description: Description
    arrays: Mapping[str, Array]


def reference_of(record: Record, config: Config, images: Images, layout: Layout) -> Reference:
    """Return everything that a batch has computed, in a layout. Raises ConfigError for a layer called X."""
    network = record.model.network
    if any(node.name == IMAGES for node in network.nodes):
        raise ConfigError(f'a layer is called "{IMAGES}", as the images are in the file: give it another name')
    rounding = rounding_scales(record)
    tensors, left_out = [*given_tensors(record), *computed_tensors(network, pass_of(record))], _left_out(record)
    if left_out is None:
        shares = [*image_gradient_tensors(record)]
        rounding |= {tensor.name: rounding[tensor.name.removeprefix("image_")] for tensor in shares}
        tensors += shares
    loss = record.model.loss
    description = Description(
        FORMAT,
        __version__,
        layout,
        record.tape.training,
        tuple(images.classes),
        tuple(images.names),
        tuple(_written_layers(network)),
        WrittenLoss(loss.type, loss.model_dump(mode="json", exclude_none=True)),
        longest_sum(network.nodes, len(record.labels)),
        {tensor.name: _written(tensor, layout, rounding.get(tensor.name, 0.0)) for tensor in tensors},
        left_out,
        dump_config(without_paths(config)),
    )
    return Reference(description, {tensor.name: layout.arranged(tensor.array, tensor.axes) for tensor in tensors})


def _left_out(record: Record) -> str | None:
    """Say why the images' own gradients are left out; None where they are not."""
    size = 8 * len(record.labels) * record.model.network.layout.size
    if record.couples_images:
        return "image_grad: batch norm couples the images, so a gradient does not fall into one share for each"
    if size > LARGEST_IMAGE_GRADIENTS:
        return f"image_grad: {size >> 20} MiB of gradients image by image; a smaller --batch has them"
    return None


def _written(tensor: Tensor, layout: Layout, rounding: float) -> WrittenTensor:
    sizes = dict(zip(tensor.axes, tensor.array.shape, strict=True))
    axes = layout.axes(tensor.axes)
    return WrittenTensor(tuple(sizes[name] for name in axes), axes, rounding)


def _written_layers(network: Network) -> Iterable[WrittenLayer]:
    for node in network.nodes:
        options = node.layer.model_dump(mode="json", exclude={"name"}, exclude_none=True)
        inputs = tuple(value_name(network, value) for value in node.inputs)
        yield WrittenLayer(node.name, node.layer.type, inputs, options)
