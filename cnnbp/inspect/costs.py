"""Every tensor's shape, forward and backward, and what each layer costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from cnnbp.arrays import Shape
from cnnbp.display import Shown
from cnnbp.engine import micro_batch_size
from cnnbp.fast import Plan, Planner, plan_for
from cnnbp.inspect.memory import DTYPE, KeptMemory, StepMemory, kept_memory
from cnnbp.inspect.symbols import Symbols, derive_symbols
from cnnbp.layers import Window
from cnnbp.losses import BinaryCrossEntropy, CrossEntropy, Loss
from cnnbp.network import INPUT, Network, Node


@dataclass(frozen=True)
class ParameterShape:
    """A parameter, which has the shape of its gradient."""

    name: str
    symbol: str
    shape: Shape


@dataclass(frozen=True)
class LayerShapes:
    """One node. Shapes are without the batch axis; costs are for one image.

    `depth` is how many residual blocks it lies in; `receptive_field` is how much of the image (height, width) one
    number of the output can depend on. Multiply-accumulates count the layer's products; memory is what the layer
    adds to what the layers before it keep until backward, None where that was not measured. `kernel` is what training
    would run it on, `with conv1` where that layer's does its work along, None where it is done as written.
    """

    index: int
    name: str
    type: str
    symbol: str
    inputs: tuple[int, ...]
    depth: int
    output_shape: Shape
    window: Window | None
    parameters: tuple[ParameterShape, ...]
    macs: int
    backward_macs: int
    receptive_field: tuple[int, int]
    activation_bytes: int | None
    cache_bytes: int | None
    kernel: str | None = None

    @property
    def parameter_count(self) -> int:
        """How many numbers the layer learns."""
        return sum(prod(parameter.shape) for parameter in self.parameters)


@dataclass(frozen=True)
class LossShapes:
    """The loss: its activation A of the logits, where it has one, is called `symbol`; L itself is a scalar."""

    type: str
    symbol: str | None
    output_shape: Shape


@dataclass(frozen=True, repr=False)
class NetworkShapes(Shown):
    """A whole network; `batch` is M where it is known, `step` the memory of a training step where it was measured."""

    input_shape: Shape
    layers: tuple[LayerShapes, ...]
    loss: LossShapes
    batch: int | None = None
    step: StepMemory | None = None

    def __repr__(self) -> str:
        return (
            f"<NetworkShapes {len(self.layers)} layers, {self.parameter_count:,} parameters, {self.macs:,} MACs/image>"
        )

    @property
    def parameter_count(self) -> int:
        """How many numbers the network learns."""
        return sum(layer.parameter_count for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image's forward pass."""
        return sum(layer.macs for layer in self.layers)

    @property
    def backward_macs(self) -> int:
        """Multiply-accumulates of one image's backward pass."""
        return sum(layer.backward_macs for layer in self.layers)

    @property
    def kept_bytes(self) -> int | None:
        """What forward keeps of one image until backward: every activation and cache, shared memory once."""
        kept = [bytes for layer in self.layers for bytes in (layer.activation_bytes, layer.cache_bytes)]
        return None if None in kept else sum(filter(None, kept))


def network_shapes(network: Network, loss: Loss, batch_size: int, planner: Planner = plan_for) -> NetworkShapes:
    """Return the shapes and costs of a network; `batch_size` decides which kernels it runs on, and its memory."""
    symbols, fields = derive_symbols(network), receptive_fields(network)
    plan = planner(network, micro_batch_size(network, batch_size), np.dtype(DTYPE))
    layers = tuple(
        _layer(node, symbols, fields[node.index], kept, _runs_on(node, plan))
        for node, kept in zip(network.nodes, kept_memory(network, batch_size, planner), strict=True)
    )
    activates = isinstance(loss, BinaryCrossEntropy | CrossEntropy)
    return NetworkShapes(
        network.input_shape,
        layers,
        LossShapes(loss.type, symbols.output if activates else None, network.output_shape),
    )


def with_batch(shapes: NetworkShapes, step: StepMemory) -> NetworkShapes:
    """Return the shapes for a known batch size, with the memory of a step over it."""
    return replace(shapes, batch=step.batch, step=step)


def receptive_fields(network: Network) -> dict[int, tuple[int, int]]:
    """Return for each value how much of the image (height, width) one of its numbers can depend on.

    A window over k places, `step` pixels apart, adds (k − 1)·step pixels (Araujo, Norris & Sim 2019).
    """
    image = (network.input_shape[1], network.input_shape[2])
    seen, steps = {INPUT: (1, 1)}, {INPUT: (1, 1)}
    for node in network.nodes:
        field = _largest([seen[i] for i in node.inputs])
        step = _largest([steps[i] for i in node.inputs])
        window = node.layer.window(node.input_shapes[0])
        if window:
            reach = [d * (k - 1) for d, k in zip(window.dilation, window.kernel, strict=True)]
            field = (field[0] + reach[0] * step[0], field[1] + reach[1] * step[1])
            step = (step[0] * window.stride[0], step[1] * window.stride[1])
        elif _sees_everything(node):
            field = image
        seen[node.index] = (min(field[0], image[0]), min(field[1], image[1]))
        steps[node.index] = step
    return seen


def _sees_everything(node: Node) -> bool:
    """Whether a layer without a window mixes all places: it changes the shape, and not only the view of it."""
    changes = node.output_shape != node.input_shapes[0] or bool(node.macs)
    return changes and not node.layer.output_is_view


def _largest(pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return max(height for height, _ in pairs), max(width for _, width in pairs)


def _runs_on(node: Node, plan: Plan) -> str | None:
    """Return a node's kernel, or which node's does its work along; None where it is done as written."""
    operation = plan.operation_of(node)
    owner = operation.owner
    return operation.kernel if node is owner or not operation.kernel else f"with {owner.name}"


def _layer(
    node: Node, symbols: Symbols, receptive_field: tuple[int, int], kept: KeptMemory, kernel: str | None
) -> LayerShapes:
    return LayerShapes(
        index=node.index,
        name=node.name,
        type=node.layer.type,
        symbol=symbols.values[node.index],
        inputs=node.inputs,
        depth=sum(part in ("layers", "shortcut") for part in node.path) - 1,
        output_shape=node.output_shape,
        window=node.layer.window(node.input_shapes[0]),
        parameters=_parameters(node, symbols.parameters[node.name]),
        macs=node.macs,
        backward_macs=node.backward_macs,
        receptive_field=receptive_field,
        activation_bytes=kept.activation,
        cache_bytes=kept.cache,
        kernel=kernel,
    )


def _parameters(node: Node, symbols: Mapping[str, str]) -> tuple[ParameterShape, ...]:
    return tuple(ParameterShape(name, symbols[name], spec.shape) for name, spec in node.parameter_specs.items())
