"""Results for other programs: frozen dataclasses as one JSON document on stdout."""

import json
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

import numpy as np


def write_json(result: Any) -> None:
    """Write a result as one JSON document on stdout, in ASCII; NaN and infinities are null."""
    sys.stdout.write(json.dumps(plain(result), indent=2, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """Return a result (dataclasses, mappings, sequences, arrays) as JSON knows it: a dataclass by its fields."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if isfinite(value) else None
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case Mapping():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return str(value)
