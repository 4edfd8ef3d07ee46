"""Convolutions on the kernels for all windows, and for those that move by one place."""

import numpy as np

from cnnbp.arrays import Array, Shape
from cnnbp.fast.kernels.convolve import Kernel
from cnnbp.fast.kernels.products import channel_sums
from cnnbp.fast.operation import Replacement
from cnnbp.layers.base import Context, Gradients, Params
from cnnbp.layers.conv import Conv2d


class KernelConv2d(Replacement):
    """Same as Conv2d, by one of the kernels: im2col in an arena's memory, or row by row."""

    def __init__(self, conv: Conv2d, input_shape: Shape, M: int, kernel: Kernel) -> None:
        self.window, self.output_shape = conv.window(input_shape), (*conv.output_shape(input_shape), M)
        self.with_kernel, self.kernel = kernel, kernel.name

    def forward(self, params: Params, x: Array, ctx: Context) -> tuple[Array, Array]:
        W = params["W"]
        y = ctx.empty(self.output_shape, np.result_type(W, x))
        self.with_kernel.correlate(W, x, self.window, y, ctx)
        if "b" in params:
            y += params["b"][:, None, None, None]
        return y, x

    def backward(self, params: Params, cache: Array, dy: Array, ctx: Context) -> tuple[Array | None, Gradients]:
        x = cache
        dx = ctx.empty(x.shape, dy.dtype) if ctx.wants_dx else None
        gradients = {"W": self.with_kernel.gradients(params["W"], x, dy, self.window, dx, ctx)}
        if "b" in params:
            gradients["b"] = channel_sums(dy)
        return dx, gradients
