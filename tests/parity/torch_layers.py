"""Every layer in PyTorch: one function for each, named as its type, over x (M, C, H, W) or (M, features).

Each takes the layer, its parameters and its input; keywords hold what only some need.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.reference import padding

Params = Mapping[str, Tensor]


def conv2d(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    xp = padded(x, layer, layer.stride, layer.dilation)  # torch has no strided `same`
    return F.conv2d(xp, params["W"], params.get("b"), layer.stride, 0, layer.dilation, layer.groups)


def padded(x: Tensor, layer: Any, stride: tuple[int, int], dilation: tuple[int, int], fill: float = 0.0) -> Tensor:
    (top, bottom), (left, right) = padding(layer, (x.shape[2], x.shape[3]), stride, dilation)
    return F.pad(x, (left, right, top, bottom), value=fill)


def within_torchs_limit(layer: Any) -> bool:
    """Tell whether torch's pools take the padding: the same on both sides, at most half the kernel."""
    return layer.pad == "valid" or (
        layer.pad != "same" and all(2 * pad <= kernel for pad, kernel in zip(layer.pad, layer.kernel, strict=True))
    )


def maxpool2d(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    stride = layer.stride or layer.kernel
    if within_torchs_limit(layer):
        return F.max_pool2d(x, layer.kernel, stride, 0 if layer.pad == "valid" else layer.pad)
    return F.max_pool2d(padded(x, layer, stride, (1, 1), fill=-torch.inf), layer.kernel, stride)


def avgpool2d(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    stride, counted = layer.stride or layer.kernel, layer.count_include_pad
    if within_torchs_limit(layer):
        pad = 0 if layer.pad == "valid" else layer.pad
        return F.avg_pool2d(x, layer.kernel, stride, pad, count_include_pad=counted)
    sums = F.avg_pool2d(padded(x, layer, stride, (1, 1)), layer.kernel, stride)
    counts = F.avg_pool2d(padded(torch.ones_like(x), layer, stride, (1, 1), float(counted)), layer.kernel, stride)
    return sums / counts


def global_avgpool2d(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return F.adaptive_avg_pool2d(x, 1)


def dense(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return F.linear(x, params["W"], params.get("b"))


def flatten(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return x.flatten(start_dim=1)


def add(layer: Any, params: Params, left: Tensor, right: Tensor, **_: Any) -> Tensor:
    return left + right


def batchnorm(layer: Any, params: Params, x: Tensor, *, state: Params, training: bool, **_: Any) -> Tensor:
    mean, var = state["running_mean"], state["running_var"]
    return F.batch_norm(x, mean, var, params["gamma"], params["beta"], training, layer.momentum, layer.eps)


def dropout(layer: Any, params: Params, x: Tensor, *, mask: Tensor | None, **_: Any) -> Tensor:
    return x if mask is None else x * mask / (1 - layer.p)


def relu(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return F.relu(x)


def leaky_relu(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return F.leaky_relu(x, layer.slope)


def elu(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return F.elu(x, layer.alpha)


def gelu(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return F.gelu(x, approximate="tanh")


def silu(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return F.silu(x)


def sigmoid(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return torch.sigmoid(x)


def tanh(layer: Any, params: Params, x: Tensor, **_: Any) -> Tensor:
    return torch.tanh(x)
