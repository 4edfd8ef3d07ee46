"""References and other programs' tensors as files: .npz, .safetensors, and folders of .npy."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO

import numpy as np
from pydantic import TypeAdapter, ValidationError

from cnnbp.arrays import Array
from cnnbp.errors import ConfigError, DataError
from cnnbp.export.packages import needed
from cnnbp.files import opened, written_whole
from cnnbp.porting.reference import FORMAT, Description, Reference

DESCRIPTION = "description"
FOLDER = "a folder of .npy files"

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


def is_reference(path: Path) -> bool:
    """Whether a file is a reference; a checkpoint has a description, too, and a checksum."""
    if path.suffix == ".safetensors":
        return True
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return f"{DESCRIPTION}.npy" in names and "checksum.npy" not in names


def load_reference(path: Path) -> Reference:
    """Read what `save_reference` wrote, or an .npz of it that was unpacked. Raises DataError."""
    arrays, text = _read(path)
    if text is None:
        raise DataError(f"{str(path)!r} is no reference: it has no description; `cnnbp grads … --save FILE` writes one")
    try:
        description = _DESCRIPTION.validate_json(text)
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False)
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise DataError(f"{str(path)!r} has no valid description: {place}: {first['msg']}") from error
    if description.format != FORMAT:
        raise DataError(f"{str(path)!r} is a reference of format {description.format}; this cnnbp reads {FORMAT}")
    for name, tensor in description.tensors.items():
        if name not in arrays or arrays[name].shape != tensor.shape:
            found = f"of shape {arrays[name].shape}" if name in arrays else "missing"
            raise DataError(f"{str(path)!r} does not fit its own description: {name} is {found}")
    return Reference(description, {name: arrays[name] for name in description.tensors})


def load_tensors(path: Path) -> dict[str, Array]:
    """Read arrays by name from an .npz, a .safetensors, or a folder of .npy files, at any depth.

    Raises DataError for what cannot be read.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Array], bytes | None]:
    """Return the arrays, and the description where there is one."""
    try:
        if path.is_dir():
            arrays = dict(_folder(path))
        elif path.suffix == ".safetensors":
            return _safetensors(path)
        else:
            arrays = dict(_npz(path))
    except ConfigError:  # a package is missing
        raise
    except Exception as error:  # zipfile, zlib, NumPy and safetensors have a dozen errors for damaged files
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        what = f"{' or '.join(_WRITERS)}, or {FOLDER}"
        raise DataError(f"cannot read {str(path)!r} as {what}: {reason}") from error
    text = arrays.pop(DESCRIPTION, None)
    return arrays, None if text is None else text.tobytes()


def _npz(path: Path) -> Iterator[tuple[str, Array]]:
    with opened(path) as file:
        if not zipfile.is_zipfile(file):  # NumPy would take it for a pickle
            raise ValueError("it is no zip file, as an .npz is")
        with np.load(file, allow_pickle=False) as content:
            yield from content.items()


def _folder(path: Path) -> Iterator[tuple[str, Array]]:
    for file in sorted(path.rglob("*.npy")):
        with opened(file) as content:
            yield file.relative_to(path).with_suffix("").as_posix(), np.load(content, allow_pickle=False)


def _safetensors(path: Path) -> tuple[dict[str, Array], bytes | None]:
    with opened(path), needed("safetensors").safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
        text = metadata.get("cnnbp")
        return {name: file.get_tensor(name) for name in file.keys()}, text and text.encode()  # noqa: SIM118


_WRITERS: Mapping[str, Callable[[IO[bytes], Mapping[str, Array], str], None]] = {
    ".npz": _write_npz,
    ".safetensors": _write_safetensors,
}
