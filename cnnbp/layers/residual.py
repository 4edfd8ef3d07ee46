"""Residual blocks: how they are written, and the sum that they end in."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.errors import ShapeError
from cnnbp.layers.base import Context, Gradients, Layer, LayerName, Params
from cnnbp.layers.operators import Operator
from cnnbp.layers.own import known_layers
from cnnbp.spelling import OneOf, coerced

if TYPE_CHECKING:
    from cnnbp.spelling import Coerced


class Add(Layer):
    """y = a + b: both (…, M) of one shape. Its gradient goes to both unchanged."""

    type = "add"
    symbol = "R"

    def output_shape(self, *input_shapes: Shape) -> Shape:
        left, right = input_shapes
        if left != right:
            raise ShapeError(
                f'residual "{self.name}" adds {format_shape(left, "M")} from its layers to'
                f" {format_shape(right, 'M')} from its shortcut: give it layers that keep the shape,"
                " or a shortcut (a conv2d with kernel 1 and the same stride) that changes it alike"
            )
        return left

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        return (Operator("Add", ("x1", "x2")),)

    def forward(self, params: Params, x: tuple[Array, Array], ctx: Context) -> tuple[Array, None]:
        left, right = x
        return left + right, None

    def backward(self, params: Params, cache: None, dy: Array, ctx: Context) -> tuple[tuple[Array, Array], Gradients]:
        return (dy, dy.copy()), {}  # each reader may write over its own


def _spellings() -> Mapping[str, type[BaseModel]]:
    from cnnbp.layers import SPELLINGS  # a block holds layers, itself among them

    return SPELLINGS


class Residual(BaseModel):
    """y = layers(x) + shortcut(x), written as one layer; the network makes it nodes and an `add`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    type: ClassVar[str] = "residual"

    name: LayerName | None = Field(default=None, description="A unique name; by default the type and its ordinal.")
    layers: "LayerSpecs" = Field(min_length=1, description="The layers of the block.")
    shortcut: "LayerSpecs" = Field(default=coerced(()), description="Layers beside them; by default x itself.")


LayerSpec = Annotated[Layer | Residual, OneOf("layer", _spellings, known_layers)]
if TYPE_CHECKING:
    LayerSpecs = Coerced[tuple[Layer | Residual, ...], Sequence[Layer | Residual | str | Mapping[str, Any]]]
else:
    LayerSpecs = tuple[LayerSpec, ...]
