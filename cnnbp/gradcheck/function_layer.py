"""Two NumPy functions as a layer, so that one method checks both."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import ConfigDict

from cnnbp.arrays import Array, Shape
from cnnbp.layers import Context, Layer
from cnnbp.layers.base import Gradients, Params

ForwardFunction = Callable[..., tuple[Any, Any]]
BackwardFunction = Callable[[Any, Any], Any]


class FunctionLayer(Layer):
    """`forward(*arrays)` → y, cache and `backward(dy, cache)` → one gradient for each array.

    The arrays have any shape; copies of them stand along a last axis that the functions do not see. Those at
    `constants` (labels, indices) are handed on as they are.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    type = "functions"

    forward_function: ForwardFunction
    backward_function: BackwardFunction
    constants: dict[int, Any]

    def output_shape(self, *input_shapes: Shape) -> Shape:
        raise NotImplementedError  # a function's output is known when it has run

    def forward(self, params: Params, x: Any, ctx: Context) -> tuple[Array, list[Any]]:
        copies = self._copies(x)
        ran = [
            self.forward_function(*self._arguments([array[..., copy] for array in copies]))
            for copy in range(copies[0].shape[-1])
        ]
        return np.stack([np.asarray(y) for y, _ in ran], axis=-1), [cache for _, cache in ran]

    def backward(self, params: Params, cache: list[Any], dy: Array, ctx: Context) -> tuple[Any, Gradients]:
        by_copy = [
            self._differentiated(self.backward_function(_scalar(dy[..., copy]), kept))
            for copy, kept in enumerate(cache)
        ]
        dxs = tuple(np.stack(gradients, axis=-1) for gradients in zip(*by_copy, strict=True))
        return dxs[0] if len(dxs) == 1 else dxs, {}

    def _arguments(self, variables: Sequence[Any]) -> list[Any]:
        """Put the constants back among the arrays."""
        rest = iter(variables)
        count = len(variables) + len(self.constants)
        return [self.constants[i] if i in self.constants else next(rest) for i in range(count)]

    def _copies(self, x: Any) -> tuple[Array, ...]:
        return x if isinstance(x, tuple) else (x,)

    def _differentiated(self, gradients: Any) -> list[Array]:
        """Return the gradients of those arrays that are not constant."""
        given = gradients if isinstance(gradients, tuple | list) else (gradients,)
        return [np.asarray(gradient) for i, gradient in enumerate(given) if i not in self.constants]


def _scalar(value: Array) -> Any:
    return value if np.ndim(value) else float(value)
