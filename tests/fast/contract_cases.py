"""What replaces which layers, drawn with the shapes and options that each may be given."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from cnnbp.arrays import Shape
from cnnbp.fast import Operation, Replacement
from cnnbp.fast.batchnorm import BlockBatchNorm
from cnnbp.fast.conv import KernelConv2d
from cnnbp.fast.dense import TiledDense
from cnnbp.fast.kernels import winograd
from cnnbp.fast.kernels.convolve import COLUMNS, ROWS
from cnnbp.fast.max_pool import PairMaxPool2d, PlacewiseMaxPool2d
from cnnbp.fast.pooled_conv import PooledConv2d
from cnnbp.fast.quartered_conv import QuarteredConv2d
from cnnbp.fast.relu import InPlaceReLU, WithReLU
from cnnbp.fast.strip_conv import StripConv2d
from cnnbp.layers import BatchNorm, Conv2d, Dense, Layer, MaxPool2d, ReLU
from cnnbp.network import Network

Draw = Callable[[st.SearchStrategy[Any]], Any]
POOL = MaxPool2d(kernel=2)


def operation(layers: list[Layer], shape: Shape, layer: Replacement, takes: int = 0, gives: int = 0) -> Operation:
    return Operation(Network(shape, layers).nodes, layer, layer.kernel, takes, gives)


def with_relus(draw: Draw, layers: list[Layer], layer: Replacement) -> tuple[list[Layer], Replacement]:
    """Draw whether there is a ReLU in front of the last of the layers, or behind it, or both."""
    before, after = (draw(st.booleans()) for _ in range(2))
    if not before and not after:
        return layers, layer
    layers = [*layers[:-1], *[ReLU()] * (before and len(layers) > 1), layers[-1], *[ReLU()] * after]
    return layers, WithReLU(layer) if any(isinstance(each, ReLU) for each in layers) else layer


def size(draw: Draw, least: int, most: int) -> int:
    return draw(st.integers(least, most))


def window_by_one(draw: Draw, kernel: tuple[int, int]) -> dict[str, Any]:
    """Draw the padding of a window that moves by one place."""
    return {
        "kernel": kernel,
        "pad": draw(st.sampled_from(["same", tuple(min(k - 1, size(draw, 0, 2)) for k in kernel)])),
    }


def conv_by_columns(draw: Draw, M: int) -> Operation:
    G = draw(st.sampled_from([1, 1, 2, 3]))
    shape = G * size(draw, 1, 3), size(draw, 5, 9), size(draw, 5, 9)
    conv = Conv2d(
        filters=G * size(draw, 1, 4),
        kernel=(size(draw, 1, 3), size(draw, 1, 3)),
        stride=(size(draw, 1, 3), size(draw, 1, 2)),
        pad=draw(st.sampled_from(["same", "valid", (2, 1)])),
        dilation=(size(draw, 1, 2), size(draw, 1, 2)),
        groups=G,
        bias=draw(st.booleans()),
    )
    layers, layer = with_relus(draw, [conv], KernelConv2d(conv, shape, M, COLUMNS))
    return operation(layers, shape, layer)


def conv_by_rows(draw: Draw, M: int) -> Operation:
    shape = size(draw, 1, 12), size(draw, 4, 9), size(draw, 4, 9)  # above and below so few channels that dW is from x
    options = window_by_one(draw, (size(draw, 1, 4), size(draw, 1, 4)))
    conv = Conv2d(filters=size(draw, 1, 5), bias=draw(st.booleans()), **options)
    layers, layer = with_relus(draw, [conv], KernelConv2d(conv, shape, M, ROWS))
    return operation(layers, shape, layer)


def _even_conv(draw: Draw, channels: int) -> tuple[Conv2d, Shape]:
    """Draw a convolution that keeps an even size, or loses an even number of rows and columns."""
    kernel = draw(st.sampled_from([1, 3, 5])), draw(st.sampled_from([1, 3, 5]))
    shape = size(draw, 1, channels), 2 * size(draw, 3, 5), 2 * size(draw, 3, 5)
    return Conv2d(
        filters=size(draw, 1, 5), bias=draw(st.booleans()), kernel=kernel, pad=draw(st.sampled_from(["same", 0]))
    ), shape


def conv_and_pool_by_rows(draw: Draw, M: int) -> Operation:
    conv, shape = _even_conv(draw, 12)
    layers, layer = with_relus(draw, [conv, POOL], PooledConv2d(conv))
    return operation(layers, shape, layer)


def conv_and_pool_in_quarters(draw: Draw, M: int) -> Operation:
    conv, shape = _even_conv(draw, 4)
    width = conv.output_shape(shape)[2] // 2
    gives = draw(st.sampled_from([0, *(S for S in range(1, width + 1) if width % S == 0)]))
    layers, layer = with_relus(draw, [conv, POOL], QuarteredConv2d(conv, shape, M, gives))
    return operation(layers, shape, layer, gives=gives)


def conv_in_strips(draw: Draw, M: int) -> Operation:
    kernel = draw(st.sampled_from(winograd.KERNEL_ROWS)), size(draw, 1, 5)
    S, pools = draw(st.sampled_from([1, 1, 2, 3, 4])), draw(st.booleans())
    width = max(kernel[1], 2) + draw(st.sampled_from([0, 1, 2, 3, 12]))
    options = window_by_one(draw, kernel) if S == 1 else {"kernel": kernel, "pad": "same"}
    conv = Conv2d(filters=size(draw, 1, 6), bias=draw(st.booleans()), **options)
    shape = draw(st.sampled_from([1, 2, 3, 5, 20])), kernel[0] + size(draw, 0, 9), S * width
    _, OH, OW = conv.output_shape(shape)
    pools = pools and OH % 2 == OW // S % 2 == 0
    takes, gives = draw(st.sampled_from([0, S])), draw(st.sampled_from([0, S]))
    strips = StripConv2d(conv, shape, S, pools=pools, takes=bool(takes), gives=bool(gives))
    layers, layer = with_relus(draw, [conv, POOL] if pools else [conv], strips)
    return operation(layers, shape, layer, takes, gives)


def max_pool_by_pairs(draw: Draw, M: int) -> Operation:
    shape = size(draw, 1, 4), size(draw, 2, 11), size(draw, 2, 11)
    layers, layer = with_relus(draw, [POOL], PairMaxPool2d(POOL, shape))
    return operation(layers, shape, layer)


def max_pool_by_places(draw: Draw, M: int) -> Operation:
    shape, kernel = (size(draw, 1, 4), size(draw, 3, 9), size(draw, 3, 9)), (size(draw, 1, 3), size(draw, 1, 3))
    pad = draw(st.sampled_from(["same", "valid", tuple(k // 2 for k in kernel)]))
    pool = MaxPool2d(kernel=kernel, stride=(size(draw, 1, 3), size(draw, 1, 3)), pad=pad)
    layers, layer = with_relus(draw, [pool], PlacewiseMaxPool2d(pool, shape))
    return operation(layers, shape, layer)


def _features(draw: Draw) -> Shape:
    return draw(st.sampled_from([(size(draw, 1, 300),), (size(draw, 1, 6), size(draw, 1, 9), size(draw, 1, 9))]))


def relu(draw: Draw, M: int) -> Operation:
    return operation([ReLU()], _features(draw), InPlaceReLU())


def dense(draw: Draw, M: int) -> Operation:
    layers, layer = with_relus(draw, [Dense(units=size(draw, 1, 70), bias=draw(st.booleans()))], TiledDense())
    return operation(layers, (size(draw, 1, 300),), layer)


def batchnorm(draw: Draw, M: int) -> Operation:
    norm, relus = BatchNorm(eps=draw(st.sampled_from([1e-5, 0.1]))), draw(st.integers(0, 2))
    return operation([norm, *[ReLU()] * relus], _features(draw), BlockBatchNorm(norm, relu=relus > 0))


CASES = (
    conv_by_columns,
    conv_by_rows,
    conv_and_pool_by_rows,
    conv_and_pool_in_quarters,
    conv_in_strips,
    max_pool_by_pairs,
    max_pool_by_places,
    relu,
    dense,
    batchnorm,
)
