"""What a layer is: hyper-parameters, and pure functions side by side.

A layer stores nothing. Parameters come in with every call, what backward needs travels in the cache, and running
statistics are state beside the parameters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike
from pydantic import BaseModel, ConfigDict, Field

from cnnbp.arrays import Allocator, Array, Shape
from cnnbp.layers.initialisers import Initialiser
from cnnbp.layers.operators import Operator

Params = Mapping[str, Array]
Gradients = dict[str, Array]
LayerName = Annotated[str, Field(pattern=r"^[\w-]+$", max_length=64)]  # without a dot: a parameter is "conv1.W"


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter before it exists: its shape, how it is drawn and whether weight decay may shrink it.

    `initialiser` None lets the network choose what suits the activation that follows.
    """

    shape: Shape
    fan_in: int = 1
    fan_out: int = 1
    initialiser: Initialiser | None = None
    fill: float | None = None
    decays: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """How a layer looks at its input, as (height, width) pairs; `pad` is (top, bottom), (left, right)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[tuple[int, int], tuple[int, int]]
    dilation: tuple[int, int] = (1, 1)

    def positions(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (OH, OW): how many places the window has over an input of the given size; < 1 if it does not fit."""
        (H, W), (kh, kw), (sh, sw), (dh, dw) = size, self.kernel, self.stride, self.dilation
        (top, bottom), (left, right) = self.pad
        return (top + H + bottom - dh * (kh - 1) - 1) // sh + 1, (left + W + right - dw * (kw - 1) - 1) // sw + 1

    def onnx_attributes(self) -> dict[str, list[int]]:
        """Return the window as ONNX's convolutions and pools spell it."""
        (top, bottom), (left, right) = self.pad
        return {
            "kernel_shape": [*self.kernel],
            "strides": [*self.stride],
            "pads": [top, left, bottom, right],
            **({"dilations": [*self.dilation]} if max(self.dilation) > 1 else {}),  # old pools have no such attribute
        }


@dataclass(slots=True)
class Context:
    """What a layer may know of the pass that it takes part in.

    Where memory is, what may be overwritten and what is not wanted are offers to what must be fast: a layer may do
    without them all.
    """

    arena: Allocator = field(default_factory=Allocator)
    training: bool = False
    wants_dx: bool = True  # False for the first layer: the gradient of the images is not needed
    may_overwrite: bool = False  # whether x (forward) or dy (backward) is free to be reused for the result
    state: Params = field(default_factory=dict)  # running statistics
    accumulators: Params = field(default_factory=dict)  # memory for ∂L/∂θ, by name, where backward may write it
    stream: tuple[int, ...] = ()  # (seed, step, node, micro-batch): equal keys, equal random numbers
    empty: Callable[[Shape, DTypeLike], Array] = field(init=False)  # memory that lives as long as the step

    def __post_init__(self) -> None:
        self.empty = self.arena.empty

    def zeros(self, shape: Shape, dtype: DTypeLike) -> Array:
        """Return zeroed memory that lives as long as the step."""
        array = self.arena.empty(shape, dtype)
        array.fill(0)
        return array

    def accumulator(self, name: str, like: Array) -> Array:
        """Return uninitialised memory for the gradient of a parameter."""
        return self.accumulators[name] if name in self.accumulators else np.empty(like.shape, like.dtype)

    def random(self) -> "np.random.Generator":  # NumPy loads its random half when it is first named
        """Return this node's own random stream, at its beginning."""
        return np.random.default_rng(self.stream)


class Layer(BaseModel):
    """Base of all layers. A subclass sets `type`, its spelling in a configuration, and overrides what it needs.

    Shapes are without the batch axis; arrays have it as their last one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    type: ClassVar[str]
    output_is_view: ClassVar[bool] = False  # forward may return its input's own memory
    caches_output: ClassVar[bool] = False  # backward reads y: no reader of y may overwrite it
    symbol: ClassVar[str] = "A"  # what the output is called in formulas, before its number: A is an activation
    suits: ClassVar[Initialiser | None] = None  # an activation's: what the weights before it should be drawn with

    name: LayerName | None = Field(default=None, description="A unique name; by default the type and its ordinal.")

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the shape of y for the given shapes of x; ShapeError with the arithmetic where it does not fit."""
        return input_shapes[0]

    def parameters(self, input_shape: Shape) -> dict[str, ParameterSpec]:
        """Return the parameters that the layer needs for this input, by name."""
        return {}

    def state(self, input_shape: Shape) -> dict[str, Array]:
        """Return the running statistics at the start, float64, by name."""
        return {}

    def window(self, input_shape: Shape) -> Window | None:
        """Return how the layer looks at its input, None where each output sees one place (or all of them)."""
        return None

    def macs(self, input_shape: Shape) -> int:
        """Return the multiply-accumulates of one image's forward pass through the layer's products."""
        return 0

    def onnx(self, input_shape: Shape) -> tuple[Operator, ...]:
        """Return what the layer does outside of training, in ONNX operators."""
        raise NotImplementedError

    def forward(self, params: Params, x: Any, ctx: Context) -> tuple[Array, Any]:
        """Return y and the cache that backward needs."""
        raise NotImplementedError

    def backward(self, params: Params, cache: Any, dy: Array, ctx: Context) -> tuple[Any, Gradients]:
        """Return ∂L/∂x (None if the context does not want it) and ∂L/∂θ for every parameter, given dy = ∂L/∂y."""
        raise NotImplementedError


class PiecewiseLayer(Layer):
    """A layer made of smooth pieces (ReLU, max pool, …) that can tell which piece it is on.

    A gradient is only defined inside a piece; a checker that steps across a border compares with the wrong number.
    """

    def branches(self, params: Params, cache: Any, ctx: Context) -> Array:
        """Return which piece each place of the output was computed on."""
        raise NotImplementedError

    def forward_on(self, params: Params, x: Array, branches: Array, ctx: Context) -> Array:
        """Return y as the given pieces continue it, whatever x says; works in complex128 too."""
        raise NotImplementedError


class CoupledLayer(Layer):
    """A layer whose output for one image depends on the other images of the batch.

    The batch may arrive in micro-batches: each gives partial statistics, `combine` adds them in a fixed order, and
    every micro-batch then applies the whole batch's. Backward meets the same way. Outside of training the layer is
    an ordinary one: `forward` and `backward` with the running statistics.
    """

    def statistics(self, params: Params, x: Array, ctx: Context) -> Array:
        """Return this micro-batch's share of the statistics, float64."""
        raise NotImplementedError

    def combine(self, left: Array, right: Array) -> Array:
        """Return the statistics of two neighbouring shares together."""
        raise NotImplementedError

    def apply(self, params: Params, x: Array, statistics: Array, ctx: Context) -> tuple[Array, Any]:
        """Return y and the cache, given the whole batch's statistics."""
        raise NotImplementedError

    def updated_state(self, state: Params, statistics: Array) -> dict[str, Array]:
        """Return the running statistics after a step that saw the given batch statistics."""
        raise NotImplementedError

    def gradient_statistics(self, params: Params, cache: Any, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        """Return this micro-batch's share of the sums that ∂L/∂x needs (float64, added up), and its ∂L/∂θ."""
        raise NotImplementedError

    def apply_gradient(self, params: Params, cache: Any, dy: Array, sums: Array, ctx: Context) -> Array:
        """Return ∂L/∂x, given the whole batch's sums."""
        raise NotImplementedError

    def running_statistics(self, state: Params) -> Array:
        """Return the running statistics in the form that `apply` takes."""
        raise NotImplementedError
