"""A network as an ONNX model: batch-first, any batch size, weights as they are stored."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from cnnbp import __version__
from cnnbp.data.normalize import Normalization
from cnnbp.errors import ConfigError
from cnnbp.export.packages import needed
from cnnbp.export.weights import metadata, weights
from cnnbp.layers.operators import Operator
from cnnbp.network import INPUT, Node
from cnnbp.training.checkpoint import Checkpoint

OPSET = 17  # what old runtimes read; a network whose operators are newer has the lowest that holds them

BATCH, PIXELS, LOGITS = "M", "pixels", "logits"


def onnx_bytes(checkpoint: Checkpoint) -> bytes:
    """Return the model from pixels in 0…1, (M, C, H, W) float32, to logits (M, K).

    The normalisation is a part of it: whoever forgot it would get wrong answers without an error.
    Raises ConfigError for a layer that has no ONNX form, and where the package is missing.
    """
    helper = needed("onnx").helper
    graph = _Graph(checkpoint).build()
    opsets = [helper.make_opsetid("", max([OPSET, *(_first_opset(node.op_type) for node in graph.node)]))]
    model = helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="cnnbp",
        producer_version=__version__,
    )
    helper.set_model_props(model, metadata(checkpoint))
    return model.SerializeToString(deterministic=True)


def _first_opset(operator: str) -> int:
    """Return the opset in which an operator came, 1 for the oldest."""
    return min(schema.since_version for schema in _schemas()[operator])


@cache
def _schemas() -> Mapping[str, list[Any]]:
    """Return all versions of ONNX's own operators by name."""
    schemas: dict[str, list[Any]] = {}
    for schema in needed("onnx.defs").get_all_schemas_with_history():
        if not schema.domain:
            schemas.setdefault(schema.name, []).append(schema)
    return schemas


class _Graph:
    """Builds the graph operator by operator. What a layer gives is called `<layer>.y`."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.onnx = needed("onnx")
        self.checkpoint, self.network = checkpoint, checkpoint.config.network
        self.arrays = weights(checkpoint)
        self.operators: list[Any] = []
        self.values = {INPUT: PIXELS}

    def build(self) -> Any:
        """Return the GraphProto."""
        self._normalize(self.checkpoint.normalization)
        for node in self.network.nodes:
            self._add(node)
        describe = self.onnx.helper.make_tensor_value_info
        float32 = self.onnx.TensorProto.FLOAT
        return self.onnx.helper.make_graph(
            self.operators,
            "cnnbp",
            inputs=[describe(PIXELS, float32, [BATCH, *self.network.input_shape])],
            outputs=[describe(LOGITS, float32, [BATCH, *self.network.output_shape])],
            initializer=[
                self.onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in self.arrays.items()
            ],
        )

    def _normalize(self, normalization: Normalization) -> None:
        """(pixels − mean)/std, where that changes anything."""
        mean, std = (np.array(values).reshape(-1, 1, 1) for values in (normalization.mean, normalization.std))
        if (mean != 0).any() or (std != 1).any():
            self.arrays |= {"mean": mean, "std": std}
            self._append(Operator("Sub", (PIXELS, "mean"), output="centered"))
            self._append(Operator("Div", ("centered", "std"), output="normalized"))
            self.values[INPUT] = "normalized"

    def _add(self, node: Node) -> None:
        """Add a layer's operators, with the layer's name before all names but those of x and y."""
        self.values[node.index] = LOGITS if node is self.network.nodes[-1] else f"{node.name}.y"
        inputs = ["x"] if len(node.inputs) == 1 else [f"x{place}" for place, _ in enumerate(node.inputs, 1)]
        known = {name: self.values[value] for name, value in zip(inputs, node.inputs, strict=True)}
        known["y"] = self.values[node.index]

        def full(name: str) -> str:
            return known.get(name, f"{node.name}.{name}")

        for operator in _operators(node):
            self._append(replace(operator, inputs=tuple(map(full, operator.inputs)), output=full(operator.output)))

    def _append(self, operator: Operator) -> None:
        self.operators.append(
            self.onnx.helper.make_node(
                operator.type, operator.inputs, [operator.output], operator.output, **operator.attributes
            )
        )


def _operators(node: Node) -> tuple[Operator, ...]:
    try:
        return node.layer.onnx(node.input_shapes[0])
    except NotImplementedError as error:
        raise ConfigError(
            f'{node.layer.type} "{node.name}" has no ONNX form; --to npz and --to safetensors write its weights'
        ) from error
