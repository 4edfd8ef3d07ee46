"""The formats that weights can be written in, each as bytes, and the one function that makes them a file."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from cnnbp.arrays import Shape
from cnnbp.errors import ConfigError
from cnnbp.export.onnx_model import onnx_bytes
from cnnbp.export.packages import needed
from cnnbp.export.weights import metadata, weights
from cnnbp.files import written_whole
from cnnbp.training.checkpoint import Checkpoint


class Format(StrEnum):
    """What weights can be written as; also the files' suffixes."""

    ONNX = "onnx"
    SAFETENSORS = "safetensors"
    NPZ = "npz"


@dataclass(frozen=True)
class Export:
    """A file that was written: its size in bytes, how many arrays and numbers are in it, and what reads it."""

    path: Path
    format: Format
    bytes: int
    arrays: int
    numbers: int
    usage: str


def npz_bytes(checkpoint: Checkpoint) -> bytes:
    """Write the weights for `np.load`, beside them `classes`, and the `mean` and `std` of pixels in 0…1."""
    beside = {
        "classes": np.array(checkpoint.classes),
        "mean": np.array(checkpoint.normalization.mean),
        "std": np.array(checkpoint.normalization.std),
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **weights(checkpoint), **beside)
    return buffer.getvalue()


def safetensors_bytes(checkpoint: Checkpoint) -> bytes:
    """Write the weights as safetensors, with the metadata in its header, as one JSON text under `cnnbp`.

    Raises ConfigError where the package is missing.
    """
    noted = {"cnnbp": json.dumps(metadata(checkpoint))}  # one key: the package writes several in any order
    return needed("safetensors.numpy").save(weights(checkpoint), noted)


FORMATS: Mapping[Format, Callable[[Checkpoint], bytes]] = {
    Format.ONNX: onnx_bytes,
    Format.SAFETENSORS: safetensors_bytes,
    Format.NPZ: npz_bytes,
}

_USAGE: Mapping[Format, Callable[[Checkpoint], str]] = {
    Format.ONNX: lambda checkpoint: (
        f"pixels (M, {_shape(checkpoint.config.network.input_shape)}) float32 in 0…1 →"
        f" logits (M, {_shape(checkpoint.config.network.output_shape)}): the normalisation is inside"
    ),
    Format.SAFETENSORS: lambda checkpoint: (
        "safetensors.torch.load_file(FILE): arrays as PyTorch lays them out, on normalised pixels"
    ),
    Format.NPZ: lambda checkpoint: "numpy.load(FILE): arrays as PyTorch lays them out, on normalised pixels",
}


def export_checkpoint(checkpoint: Checkpoint, format_name: Format, path: Path, *, overwrite: bool = False) -> Export:
    """Write a checkpoint's weights to a file, whole or not at all.

    Raises ConfigError for a file that is there already, an unknown layer or a missing package; CheckpointError where
    writing fails.
    """
    if path.exists() and not overwrite:
        raise ConfigError(f"{str(path)!r} exists already; --force writes over it, -o names another file")
    content = FORMATS[format_name](checkpoint)
    with written_whole(path) as file:
        file.write(content)
    arrays = weights(checkpoint)
    numbers = sum(array.size for array in arrays.values())
    return Export(path, format_name, len(content), len(arrays), numbers, _USAGE[format_name](checkpoint))


def _shape(shape: Shape) -> str:
    return ", ".join(map(str, shape))
