"""A layer in the terms of ONNX, as plain data: what an exporter needs to know of it, and no library."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Operator:
    """One ONNX operator (https://onnx.ai/onnx/operators), its attributes, and the names of what it reads and gives.

    Inputs are `x` (or `x1` and `x2`), the layer's parameters and running statistics by name, or an earlier operator's
    output; the layer's own output is `y`. Arrays are batch-first here: (M, C, H, W) and (M, features).
    """

    type: str
    inputs: tuple[str, ...] = ("x",)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    output: str = "y"
