"""A network: a flat list of nodes in topological order, each a layer with the indices of its inputs.

A residual block is only a way to write some nodes and an `add`, so every inner layer is named, timed, blamed and
restarted like all others.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import DTypeLike

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.errors import ConfigError, ShapeError
from cnnbp.layers import Add, CoupledLayer, Layer, LayerSpec, ParameterSpec, Residual
from cnnbp.layers.initialisers import Initialiser, draw
from cnnbp.parameters import Layout, Parameters, Tensors

Named = TypeVar("Named", Layer, Residual)

INPUT = -1  # the index of the value that the images are


@dataclass(frozen=True)
class Node:
    """One layer in its place: `inputs` are indices of earlier nodes (or INPUT)."""

    index: int
    layer: Layer
    inputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    path: tuple[str | int, ...] = ()

    @cached_property
    def name(self) -> str:
        """The layer's unique name."""
        assert self.layer.name is not None
        return self.layer.name

    @cached_property
    def parameter_specs(self) -> dict[str, ParameterSpec]:
        """What parameters the layer has here."""
        return self.layer.parameters(self.input_shapes[0])

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image's forward pass through the layer's products."""
        return self.layer.macs(self.input_shapes[0])

    @property
    def backward_macs(self) -> int:
        """The same of its backward pass: ∂L/∂W, and ∂L/∂x where it is needed."""
        return self.macs if self.inputs == (INPUT,) else 2 * self.macs

    @property
    def is_coupled(self) -> bool:
        """Whether the layer mixes the images of a batch in training."""
        return isinstance(self.layer, CoupledLayer)


class Network:
    """Nodes with their shapes; parameters and running statistics live outside and come in with each call.

    It is made for images of `input_shape` (C, H, W). Raises ShapeError for a layer that does not fit its input.
    """

    def __init__(self, input_shape: Shape, layers: Sequence[LayerSpec]) -> None:
        self.input_shape = input_shape
        self.nodes: tuple[Node, ...] = tuple(_Builder(input_shape).build(layers))
        self.output_shape = self.nodes[-1].output_shape
        self.layout = Layout(
            {
                node.name: {name: spec.shape for name, spec in node.parameter_specs.items()}
                for node in self.nodes
                if node.parameter_specs
            }
        )

    def __repr__(self) -> str:
        shapes = f"{format_shape(self.input_shape)} → {format_shape(self.output_shape)}"
        return f"<Network {shapes}, {len(self.nodes)} layers, {self.layout.size:,} parameters>"

    @cached_property
    def readers(self) -> dict[int, tuple[Node, ...]]:
        """For each value (by the index of its node, INPUT for the images) the nodes that read it."""
        found: dict[int, list[Node]] = {value: [] for value in range(INPUT, len(self.nodes))}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                found[value].append(node)
        return {value: tuple(nodes) for value, nodes in found.items()}

    @cached_property
    def last_read(self) -> tuple[tuple[int, ...], ...]:
        """For each node the values that no later node reads."""
        last = {value: readers[-1].index for value, readers in self.readers.items() if readers}
        return tuple(tuple(value for value in node.inputs if last[value] == node.index) for node in self.nodes)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one image's forward pass."""
        return sum(node.macs for node in self.nodes)

    @cached_property
    def couples_images(self) -> bool:
        """Whether a layer mixes the images of a batch in training."""
        return any(node.is_coupled for node in self.nodes)

    def only_source(self, node: Node) -> Node | None:
        """Return the node whose value this one reads, if there is one and no other node reads it."""
        [source] = node.inputs
        return self.nodes[source] if source != INPUT and len(self.readers[source]) == 1 else None

    def parts(self, names: Collection[str]) -> tuple[Node, ...]:
        """Return the layers of some names; the name of a residual block stands for all layers in it."""
        paths = [node.path for node in self.nodes if node.name in names]
        return tuple(node for node in self.nodes if any(node.path[: len(path)] == path for path in paths))

    def with_layer(self, index: int, layer: Layer) -> "Network":
        """Return the network with another layer in a node's place: of the same shapes, parameters and name."""
        twin = copy(self)
        derived = {"readers", "last_read"}
        twin.__dict__ = {name: value for name, value in vars(self).items() if name not in derived}
        twin.nodes = tuple(replace(node, layer=layer) if node.index == index else node for node in self.nodes)
        return twin

    def initial_parameters(self, seed: int, dtype: DTypeLike = np.float32) -> Parameters:
        """Draw the parameters: each tensor from a stream of its own, keyed by (seed, node, tensor)."""
        parameters = self.layout.zeros(dtype)
        for node in self.nodes:
            for ordinal, (name, spec) in enumerate(node.parameter_specs.items()):
                rng = np.random.default_rng([seed, node.index, ordinal])
                parameters[node.name][name][...] = self._draw(node, spec, rng)
        return parameters

    def _draw(self, node: Node, spec: ParameterSpec, rng: "np.random.Generator") -> Array | float:
        if spec.fill is not None:
            return spec.fill
        return draw(spec.initialiser or self._suitable(node) or "lecun", spec.shape, spec.fan_in, spec.fan_out, rng)

    def _suitable(self, node: Node) -> Initialiser | None:
        """Return what suits the activation after a node: of its readers, the first that is before drawn weights."""
        for reader in self.readers[node.index]:
            if reader.layer.suits:
                return reader.layer.suits
            if all(spec.fill is not None for spec in reader.parameter_specs.values()):
                found = self._suitable(reader)
                if found:
                    return found
        return None

    def initial_state(self) -> Tensors:
        """Return the running statistics before training, by layer."""
        states = {node.name: node.layer.state(node.input_shapes[0]) for node in self.nodes}
        return {name: state for name, state in states.items() if state}

    def decays(self, dtype: DTypeLike = np.float32) -> Array:
        """Return the vector (N,) that is 1 where weight decay applies and 0 elsewhere."""
        marks = self.layout.zeros(dtype)
        for node in self.nodes:
            for name, spec in node.parameter_specs.items():
                marks[node.name][name][...] = spec.decays
        return marks.vector


class _Builder:
    """Turns layers as they are written into nodes, working out names and shapes."""

    def __init__(self, input_shape: Shape) -> None:
        self.input_shape = input_shape
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.ordinals: Counter[str] = Counter()

    def build(self, layers: Sequence[LayerSpec]) -> list[Node]:
        if not layers:
            raise ConfigError("a network needs at least one layer")
        self._chain(layers, INPUT, ("layers",))
        return self.nodes

    def _chain(self, layers: Sequence[LayerSpec], source: int, path: tuple[str | int, ...]) -> int:
        for position, layer in enumerate(layers):
            here = (*path, position)
            if isinstance(layer, Residual):
                source = self._residual(layer, source, here)
            else:
                source = self._node(self._named(layer, here), (source,), here)
        return source

    def _residual(self, block: Residual, source: int, path: tuple[str | int, ...]) -> int:
        block = self._named(block, path)
        left = self._chain(block.layers, source, (*path, "layers"))
        right = self._chain(block.shortcut, source, (*path, "shortcut"))
        return self._node(Add(name=block.name), (left, right), path)

    def _node(self, layer: Layer, inputs: tuple[int, ...], path: tuple[str | int, ...]) -> int:
        input_shapes = tuple(self.input_shape if i == INPUT else self.nodes[i].output_shape for i in inputs)
        try:
            output_shape = layer.output_shape(*input_shapes)
        except ShapeError as error:
            error.path = path
            raise
        self.nodes.append(Node(len(self.nodes), layer, inputs, input_shapes, output_shape, path))
        return len(self.nodes) - 1

    def _named(self, layer: Named, path: tuple[str | int, ...]) -> Named:
        self.ordinals[layer.type] += 1
        name = layer.name or f"{layer.type}{self.ordinals[layer.type]}"
        if name in self.names:
            error = ShapeError(f'two layers are called "{name}": give each a name of its own')
            error.path = path
            raise error
        self.names.add(name)
        return layer.model_copy(update={"name": name})
