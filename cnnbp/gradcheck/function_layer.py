"""Two NumPy functions as a layer, so that one method checks both."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import ConfigDict

from cnnbp.arrays import Array
from cnnbp.layers import Context, Layer
from cnnbp.layers.base import Gradients, Params

ForwardFunction = Callable[..., tuple[Any, Any]]
BackwardFunction = Callable[[Any, Any], Any]


class FunctionLayer(Layer):
    """`run(*arrays)` → y, cache and `differentiate(dy, cache)` → one gradient for each array.

    The arrays have any shape; copies of them stand along a last axis that the functions do not see. Those at
    `constants` (labels, indices) are handed on as they are.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    type = "functions"

    run: ForwardFunction
    differentiate: BackwardFunction
    constants: Mapping[int, Any]

    def forward(self, params: Params, x: Any, ctx: Context) -> tuple[Array, list[Any]]:
        xs = x if isinstance(x, tuple) else (x,)
        ran = [self._run([array[..., copy] for array in xs]) for copy in range(xs[0].shape[-1])]
        return np.stack([np.asarray(y) for y, _ in ran], axis=-1), [cache for _, cache in ran]

    def backward(self, params: Params, cache: list[Any], dy: Array, ctx: Context) -> tuple[Any, Gradients]:
        copies = [self._differentiated(dy[..., copy], kept) for copy, kept in enumerate(cache)]
        dxs = tuple(np.stack(gradients, axis=-1) for gradients in zip(*copies, strict=True))
        return dxs[0] if len(dxs) == 1 else dxs, {}

    def _run(self, variables: Sequence[Any]) -> tuple[Any, Any]:
        """Call the function; whatever it raises for complex numbers, it is not made for them."""
        rest = iter(variables)
        count = len(variables) + len(self.constants)
        arguments = [self.constants[i] if i in self.constants else next(rest) for i in range(count)]
        try:
            y, cache = self.run(*arguments)
        except Exception as error:
            if any(np.iscomplexobj(variable) for variable in variables):
                raise TypeError(f"not a function of complex numbers: {error}") from error
            raise
        return y, cache

    def _differentiated(self, dy: Any, cache: Any) -> list[Array]:
        """Return the gradients of those arrays that are not constant."""
        returned = self.differentiate(dy, cache)
        gradients = returned if isinstance(returned, tuple | list) else (returned,)
        return [np.asarray(gradient) for i, gradient in enumerate(gradients) if i not in self.constants]
