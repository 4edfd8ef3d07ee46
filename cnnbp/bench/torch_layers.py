"""Every layer in PyTorch: one function for each, named as its type, over x (M, C, H, W) or (M, features).

Each takes the layer, its window over this input, its parameters and its input; keywords hold what only some need.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnbp.layers import Window

Params = Mapping[str, Tensor]


def conv2d(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """Pad by itself only where the sides differ: torch has no strided `same`."""
    if not _is_even(window):
        return F.conv2d(
            _padded(x, window), params["W"], params.get("b"), window.stride, 0, window.dilation, layer.groups
        )
    pad = _first_sides(window)
    return F.conv2d(x, params["W"], params.get("b"), window.stride, pad, window.dilation, layer.groups)


def maxpool2d(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """Torch's padding does as far as it goes."""
    if _within_torchs_limit(window):
        return F.max_pool2d(x, window.kernel, window.stride, _first_sides(window))
    return F.max_pool2d(_padded(x, window, fill=-torch.inf), window.kernel, window.stride)


def avgpool2d(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """Torch's padding does as far as it goes; beyond it, a sum over a count."""
    counted = layer.count_include_pad
    if _within_torchs_limit(window):
        return F.avg_pool2d(x, window.kernel, window.stride, _first_sides(window), count_include_pad=counted)
    sums = F.avg_pool2d(_padded(x, window), window.kernel, window.stride)
    counts = F.avg_pool2d(_padded(torch.ones_like(x), window, float(counted)), window.kernel, window.stride)
    return sums / counts


def global_avgpool2d(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """The mean of each channel."""
    return F.adaptive_avg_pool2d(x, 1)


def dense(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """W is (units, features) there as here."""
    return F.linear(x, params["W"], params.get("b"))


def flatten(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """(M, C, H, W) → (M, C·H·W)."""
    return x.flatten(start_dim=1)


def add(layer: Any, window: Window, params: Params, left: Tensor, right: Tensor, **_: Any) -> Tensor:
    """The end of a residual block."""
    return left + right


def batchnorm(
    layer: Any, window: Window, params: Params, x: Tensor, *, state: Params, training: bool, **_: Any
) -> Tensor:
    """Updates the running statistics in place."""
    mean, var = state["running_mean"], state["running_var"]
    return F.batch_norm(x, mean, var, params["gamma"], params["beta"], training, layer.momentum, layer.eps)


def groupnorm(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """Channels in groups, each image for itself."""
    return F.group_norm(x, layer.groups, params["gamma"], params["beta"], layer.eps)


def dropout(
    layer: Any, window: Window, params: Params, x: Tensor, *, kept: Tensor | None, training: bool, **_: Any
) -> Tensor:
    """Keep what `kept` says; without it, draw."""
    return F.dropout(x, layer.p, training) if kept is None else x * kept / (1 - layer.p)


def relu(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """max(x, 0)."""
    return F.relu(x)


def leaky_relu(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """x where it is positive, else slope·x."""
    return F.leaky_relu(x, layer.slope)


def elu(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """x where it is positive, else alpha·(eˣ − 1)."""
    return F.elu(x, layer.alpha)


def gelu(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """The tanh form."""
    return F.gelu(x, approximate="tanh")


def silu(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """x·σ(x)."""
    return F.silu(x)


def sigmoid(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """σ(x)."""
    return torch.sigmoid(x)


def tanh(layer: Any, window: Window, params: Params, x: Tensor, **_: Any) -> Tensor:
    """The hyperbolic tangent."""
    return torch.tanh(x)


def _first_sides(window: Window) -> tuple[int, int]:
    return window.pad[0][0], window.pad[1][0]


def _is_even(window: Window) -> bool:
    return all(first == last for first, last in window.pad)


def _within_torchs_limit(window: Window) -> bool:
    """Tell whether torch's pools take the padding: the same on both sides, at most half the kernel."""
    return _is_even(window) and all(
        2 * pad <= kernel for pad, kernel in zip(_first_sides(window), window.kernel, strict=True)
    )


def _padded(x: Tensor, window: Window, fill: float = 0.0) -> Tensor:
    (top, bottom), (left, right) = window.pad
    return F.pad(x, (left, right, top, bottom), value=fill)
