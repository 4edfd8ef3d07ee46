"""A layer of one's own, checked in a line, and then as it is with a mistake in it."""

from typing import Any

import numpy as np

from cnnbp.arrays import Array
from cnnbp.gradcheck import check_layer
from cnnbp.layers import Context, Gradients, Layer, Params


class Softplus(Layer):
    """y = log(1 + eˣ)."""

    type = "softplus"

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        return np.logaddexp(x, 0), x

    def backward(self, params: Params, cache: Any, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        return dy / (1 + np.exp(-cache)), {}


class Wrong(Softplus):
    """The same, with a sign forgotten."""

    def backward(self, params: Params, cache: Any, dy: Array, ctx: Context) -> tuple[Array, Gradients]:
        return dy / (1 + np.exp(cache)), {}


print("right:", check_layer(Softplus(), (2, 3, 4)).verdict)
try:
    check_layer(Wrong(), (2, 3, 4)).raise_if_wrong()
except AssertionError as error:
    print("wrong:", error)
