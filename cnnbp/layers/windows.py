"""The one place that knows sliding windows: their sizes, padding, and im2col with its adjoint col2im."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, NonNegativeInt, PlainSerializer, PositiveInt
from pydantic_core import PydanticCustomError

from cnnbp.arrays import Array, Shape, format_shape
from cnnbp.errors import ShapeError
from cnnbp.layers.base import Layer, Window

if TYPE_CHECKING:
    from cnnbp.spelling import Coerced


def _both_ways(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise PydanticCustomError("size", "{expected}", {"expected": "a whole number or [height, width]"})
    return value


def _as_written(pair: tuple[int, int]) -> int | tuple[int, int]:
    return pair[0] if pair[0] == pair[1] else pair


_BRIEFLY = PlainSerializer(_as_written, when_used="json")

Padding = Literal["same", "valid"] | tuple[int, int]

if TYPE_CHECKING:
    Size = Coerced[tuple[int, int], int | Sequence[int]]
    OptionalSize = Coerced[tuple[int, int] | None, int | Sequence[int] | None]
    Pad = Coerced[Padding, Literal["same", "valid"] | int | Sequence[int]]
else:
    Size = Annotated[
        tuple[PositiveInt, PositiveInt],
        BeforeValidator(_both_ways, PositiveInt | tuple[PositiveInt, PositiveInt]),
        _BRIEFLY,
    ]
    OptionalSize = Size | None
    Pad = (
        Literal["same", "valid"]
        | Annotated[
            tuple[NonNegativeInt, NonNegativeInt],
            BeforeValidator(_both_ways, NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt]),
            _BRIEFLY,
        ]
    )


@cache
def window_over(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: Padding,
    dilation: tuple[int, int] = (1, 1),
) -> Window:
    """Return the window of a layer over an input of the given size; worked out once, as every step asks for it."""
    return Window(kernel, stride, resolve_padding(pad, size, kernel, stride, dilation), dilation)


def resolve_padding(
    pad: Padding, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Turn `pad` into ((top, bottom), (left, right)).

    `same` gives ⌈n/stride⌉ outputs; an odd row or column of padding stands at the bottom or right.
    """
    if pad == "valid":
        return (0, 0), (0, 0)
    if pad == "same":
        vertical, horizontal = map(_same_padding, size, kernel, stride, dilation)
        return vertical, horizontal
    return (pad[0], pad[0]), (pad[1], pad[1])


def _same_padding(n: int, k: int, s: int, d: int) -> tuple[int, int]:
    total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
    return total // 2, total - total // 2


def output_size(layer: Layer, input_shape: Shape, window: Window) -> tuple[int, int]:
    """Return (OH, OW) of a window over (C, H, W); ShapeError with the arithmetic when it does not fit even once."""
    sizes = window.positions((input_shape[1], input_shape[2]))
    for n, k, s, (before, after), d, size in zip(
        input_shape[1:], window.kernel, window.stride, window.pad, window.dilation, sizes, strict=True
    ):
        if size < 1:
            padded = f"{n}+{before}+{after}" if before + after else f"{n}"
            raise ShapeError(
                f'{layer.type} "{layer.name}": kernel {format_shape(window.kernel)} stride {_brief(window.stride)}'
                f"{_dilated(window)} does not fit its input {format_shape(input_shape)}"
                f" (⌊({padded}−{d * (k - 1) + 1})/{s}⌋+1 = {size})"
            )
    return sizes


def _brief(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else format_shape(pair)


def _dilated(window: Window) -> str:
    return "" if window.dilation == (1, 1) else f" dilation {_brief(window.dilation)}"


def padded(x: Array, window: Window, fill: float = 0.0) -> Array:
    """Return x (C, H, W, M) with the window's padding around it."""
    (top, bottom), (left, right) = window.pad
    C, H, W, M = x.shape
    xp = np.full((C, top + H + bottom, left + W + right, M), fill, x.dtype)
    xp[:, top : top + H, left : left + W] = x
    return xp


def unpadded(xp: Array, window: Window) -> Array:
    """Return the view of xp without the window's padding."""
    (top, bottom), (left, right) = window.pad
    return xp[:, top : xp.shape[1] - bottom, left : xp.shape[2] - right]


def places(xp: Array, window: Window, out: tuple[int, int]) -> Iterator[tuple[int, int, Array]]:
    """Yield (i, j, view): for each place of the kernel, what all windows see there, (C, OH, OW, M), without a copy."""
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
    for i in range(kh):
        rows = slice(i * dh, i * dh + sh * (out[0] - 1) + 1, sh)
        for j in range(kw):
            yield i, j, xp[:, rows, j * dw : j * dw + sw * (out[1] - 1) + 1 : sw]


def im2col(x: Array, window: Window, fill: float = 0.0) -> Array:
    """Copy every window of x (C, H, W, M) into a column: (C, kH·kW, OH, OW, M); padding counts as `fill`."""
    views = places(padded(x, window, fill), window, window.positions(x.shape[1:3]))
    return np.stack([view for _, _, view in views], axis=1)


def col2im(cols: Array, window: Window, input_shape: Shape) -> Array:
    """Add every column back to where im2col took it from: (C, H, W, M). The adjoint of im2col."""
    C, H, W = input_shape
    (top, bottom), (left, right) = window.pad
    xp = np.zeros((C, top + H + bottom, left + W + right, cols.shape[-1]), cols.dtype)
    for place, (_, _, view) in enumerate(places(xp, window, cols.shape[2:4])):
        view += cols[:, place]
    return unpadded(xp, window)
