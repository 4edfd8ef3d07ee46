"""References and other programs' tensors as files: .npz, .safetensors, and folders of .npy."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO

import numpy as np
from pydantic import TypeAdapter

from cnnbp.arrays import Array
from cnnbp.errors import ConfigError
from cnnbp.export.packages import needed
from cnnbp.files import written_whole
from cnnbp.porting.reference import Description, Reference

DESCRIPTION = "description"

_DESCRIPTION = TypeAdapter(Description)


def require_suffix(path: Path) -> None:
    """Raise ConfigError for a file that would be neither .npz nor .safetensors."""
    if path.suffix not in _WRITERS:
        raise ConfigError(f"{str(path)!r}: the suffix decides on the format, {' or '.join(_WRITERS)}")


def save_reference(path: Path, reference: Reference) -> None:
    """Write a reference, whole or not at all. Raises CheckpointError where that fails, ConfigError for the suffix."""
    require_suffix(path)
    description = json.dumps(asdict(reference.description))  # in ASCII: the name of an image may be no Unicode
    with written_whole(path) as file:
        _WRITERS[path.suffix](file, reference.arrays, description)


def _write_npz(file: IO[bytes], arrays: Mapping[str, Array], description: str) -> None:
    text = np.frombuffer(description.encode(), np.uint8)
    np.savez(file, allow_pickle=False, **{DESCRIPTION: text, **arrays})


def _write_safetensors(file: IO[bytes], arrays: Mapping[str, Array], description: str) -> None:
    file.write(needed("safetensors.numpy").save(dict(arrays), {"cnnbp": description}))


_WRITERS: Mapping[str, Callable[[IO[bytes], Mapping[str, Array], str], None]] = {
    ".npz": _write_npz,
    ".safetensors": _write_safetensors,
}
