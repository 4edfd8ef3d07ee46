"""The numbers of a page: every tensor by its symbol, as much of it as the file may hold."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnbp.arrays import Array, format_shape

EXACT = 60_000  # numbers: so few are written in float64
MOST = 1_700_000  # numbers in float32: 9 MB of text


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array by its symbol; where `batched`, its last axis is the images'."""

    array: Array
    batched: bool

    @property
    def shape(self) -> str:
        """How its shape is written, the images as M."""
        return format_shape(self.array.shape[:-1], "M") if self.batched else format_shape(self.array.shape)


Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Chosen:
    """What fits: the first `images` of the batch, all tensors but `left_out`, and whether the numbers are exact."""

    tensors: Tensors
    images: int
    left_out: tuple[str, ...]
    exact: bool


def choose(tensors: Tensors, images: int) -> Chosen:
    """Choose what a page holds: if not everything fits, fewer images; then not the largest tensors."""
    fixed = sum(tensor.array.size for tensor in tensors.values() if not tensor.batched)
    per_image = sum(tensor.array.size for tensor in tensors.values() if tensor.batched) // images
    shown = max(1, min(images, (MOST - fixed) // max(per_image, 1)))
    sizes = {symbol: _size(tensor, images, shown) for symbol, tensor in tensors.items()}
    left_out, total = [], sum(sizes.values())
    for symbol in sorted(sizes, key=lambda symbol: -sizes[symbol]):
        if total <= MOST:
            break
        total -= sizes[symbol]
        left_out.append(symbol)
    return Chosen(tensors, shown, tuple(left_out), total <= EXACT)


def _size(tensor: Tensor, images: int, shown: int) -> int:
    return tensor.array.size // images * shown if tensor.batched else tensor.array.size


def tensor_documents(chosen: Chosen) -> dict[str, dict[str, Any]]:
    """Return each tensor for JSON: its shape without the images, what sums it up, and its numbers as base64."""
    return {symbol: _document(symbol, tensor, chosen) for symbol, tensor in chosen.tensors.items()}


def _document(symbol: str, tensor: Tensor, chosen: Chosen) -> dict[str, Any]:
    array = tensor.array
    finite = array[np.isfinite(array)]
    document = {
        "shape": array.shape[:-1] if tensor.batched else array.shape,
        "batched": tensor.batched,
        "written": tensor.shape,
        "largest": float(np.abs(finite).max(initial=0)),
        "whole": bool((array == np.round(array)).all()),
        "zeros": float((array == 0).mean()),
        "mean": float(finite.mean()) if finite.size else 0.0,
    }
    if symbol in chosen.left_out:
        return document
    shown = array[..., : chosen.images] if tensor.batched else array
    return {**document, "data": _encoded(shown, exact=chosen.exact)}


def _encoded(array: Array, *, exact: bool) -> str:
    return b64encode(np.ascontiguousarray(array, "<f8" if exact else "<f4").tobytes()).decode("ascii")
