"""What every layer computes, in loops over single numbers: slow, short and easy to believe.

One function for each layer, named as its type, with the arguments of `Layer.forward`. Nothing here is shared with the
package: padding is a bounds check, and a window is the list of the places that it sees.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import ceil, exp, expm1, inf, pi, sqrt
from math import tanh as tangent
from statistics import fmean
from typing import Any

import numpy as np

from cnnbp.layers import Context

Array = np.ndarray[Any, Any]
Params = Mapping[str, Array]
Pairs = tuple[tuple[int, int], tuple[int, int]]


def places(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield every index of an array."""
    return product(*map(range, shape))


def padding(layer: Any, size: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Pairs:
    """Return (top, bottom), (left, right) of a layer's `pad` over an input of the given size."""
    if layer.pad == "valid":
        return (0, 0), (0, 0)
    if layer.pad != "same":
        return (layer.pad[0], layer.pad[0]), (layer.pad[1], layer.pad[1])
    pairs = []
    for n, k, s, d in zip(size, layer.kernel, stride, dilation, strict=True):
        total = 0
        while (n + total - d * (k - 1) - 1) // s + 1 < ceil(n / s):  # the least that gives ⌈n/s⌉ outputs
            total += 1
        pairs.append((total // 2, total - total // 2))
    return pairs[0], pairs[1]


def windows(
    layer: Any, x: Array, stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> dict[tuple[int, int], list[tuple[int, int, int, int]]]:
    """Return for each output (i, j) the (row, column) of x at each place (u, v) of the kernel; rows may lie outside."""
    _, H, W, _ = x.shape
    (top, bottom), (left, right) = padding(layer, (H, W), stride, dilation)
    (kh, kw), (sh, sw), (dh, dw) = layer.kernel, stride, dilation
    return {
        (i, j): [(u, v, i * sh + u * dh - top, j * sw + v * dw - left) for u, v in places((kh, kw))]
        for i in range((H + top + bottom - dh * (kh - 1) - 1) // sh + 1)
        for j in range((W + left + right - dw * (kw - 1) - 1) // sw + 1)
    }


def inside(x: Array, row: int, column: int) -> bool:
    """Tell whether a place lies on the image and not in its padding."""
    return 0 <= row < x.shape[1] and 0 <= column < x.shape[2]


def empty_maps(channels: int, x: Array, outputs: Mapping[tuple[int, int], Any]) -> Array:
    """Return (channels, OH, OW, M) to be filled."""
    last_row, last_column = max(outputs)
    return np.empty((channels, last_row + 1, last_column + 1, x.shape[-1]))


def conv2d(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    W, b = params["W"], params.get("b", np.zeros(layer.filters))
    per_group = x.shape[0] // layer.groups
    outputs = windows(layer, x, layer.stride, layer.dilation)
    y = empty_maps(layer.filters, x, outputs)
    for f, (i, j), m in product(range(layer.filters), outputs, range(x.shape[-1])):
        first = f // (layer.filters // layer.groups) * per_group  # the first channel of the filter's group
        total = b[f]
        for c, (u, v, row, column) in product(range(per_group), outputs[i, j]):
            if inside(x, row, column):
                total += W[f, c, u, v] * x[first + c, row, column, m]
        y[f, i, j, m] = total
    return y


def maxpool2d(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    outputs = windows(layer, x, layer.stride or layer.kernel)
    y = empty_maps(x.shape[0], x, outputs)
    for c, (i, j), m in product(range(x.shape[0]), outputs, range(x.shape[-1])):
        seen = [x[c, row, column, m] if inside(x, row, column) else -inf for _, _, row, column in outputs[i, j]]
        y[c, i, j, m] = max(seen)
    return y


def avgpool2d(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    outputs = windows(layer, x, layer.stride or layer.kernel)
    y = empty_maps(x.shape[0], x, outputs)
    for c, (i, j), m in product(range(x.shape[0]), outputs, range(x.shape[-1])):
        seen = [x[c, row, column, m] for _, _, row, column in outputs[i, j] if inside(x, row, column)]
        y[c, i, j, m] = sum(seen) / (len(outputs[i, j]) if layer.count_include_pad else len(seen))
    return y


def global_avgpool2d(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    y = np.empty((x.shape[0], 1, 1, x.shape[-1]))
    for c, m in places((x.shape[0], x.shape[-1])):
        y[c, 0, 0, m] = fmean(x[c, i, j, m] for i, j in places(x.shape[1:3]))
    return y


def dense(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    W, b = params["W"], params.get("b", np.zeros(layer.units))
    y = np.empty((layer.units, x.shape[-1]))
    for unit, m in places(y.shape):
        y[unit, m] = b[unit] + sum(W[unit, feature] * x[feature, m] for feature in range(x.shape[0]))
    return y


def flatten(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    y = np.empty((x[..., 0].size, x.shape[-1]))
    for feature, place in enumerate(places(x.shape[:-1])):  # row-major: the last index runs fastest
        y[feature] = x[place]
    return y


def add(layer: Any, params: Params, x: tuple[Array, Array], ctx: Context) -> Array:
    left, right = x
    y = np.empty(left.shape)
    for place in places(y.shape):
        y[place] = left[place] + right[place]
    return y


def batchnorm(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    y = np.empty(x.shape)
    for c in range(x.shape[0]):
        values = x[c].ravel().tolist()
        if ctx.training:
            mean = fmean(values)
            variance = fmean((value - mean) ** 2 for value in values)
        else:
            mean, variance = ctx.state["running_mean"][c], ctx.state["running_var"][c]
        for place in places(x.shape[1:]):
            normalised = (x[c][place] - mean) / sqrt(variance + layer.eps)
            y[c][place] = params["gamma"][c] * normalised + params["beta"][c]
    return y


def groupnorm(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    y = np.empty(x.shape)
    in_group = x.shape[0] // layer.groups
    for g, m in places((layer.groups, x.shape[-1])):
        values = x[g * in_group : (g + 1) * in_group, ..., m].ravel().tolist()
        mean = fmean(values)
        deviation = sqrt(fmean((value - mean) ** 2 for value in values) + layer.eps)
        for c in range(g * in_group, (g + 1) * in_group):
            for place in places(x.shape[1:-1]):
                y[(c, *place, m)] = params["gamma"][c] * (x[(c, *place, m)] - mean) / deviation + params["beta"][c]
    return y


def dropout(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    if not ctx.training:
        return x
    kept, _ = layer.forward({}, np.ones(x.shape), ctx)  # which numbers fall depends on the stream alone
    y = np.zeros(x.shape)
    for place in places(x.shape):
        if kept[place] != 0:
            y[place] = x[place] / (1 - layer.p)
    return y


def one_by_one(x: Array, function: Callable[[float], float]) -> Array:
    """Apply a function of one number to each."""
    y = np.empty(x.shape)
    for place in places(x.shape):
        y[place] = function(float(x[place]))
    return y


def logistic(z: float) -> float:
    """1/(1 + e⁻ᶻ), on the side where the exponential cannot overflow."""
    return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def relu(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    return one_by_one(x, lambda z: z if z > 0 else 0.0)


def leaky_relu(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    return one_by_one(x, lambda z: z if z > 0 else layer.slope * z)


def elu(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    return one_by_one(x, lambda z: z if z > 0 else layer.alpha * expm1(z))


def gelu(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    return one_by_one(x, lambda z: z / 2 * (1 + tangent(sqrt(2 / pi) * (z + 0.044715 * z**3))))


def silu(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    return one_by_one(x, lambda z: z * logistic(z))


def sigmoid(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    return one_by_one(x, logistic)


def tanh(layer: Any, params: Params, x: Array, ctx: Context) -> Array:
    return one_by_one(x, tangent)
