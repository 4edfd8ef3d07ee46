"""What comes with the package, in one archive: the project's configurations, and the images that they train on."""

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cnnbp.errors import ConfigError
from cnnbp.names import unknown

ARCHIVE = Path(__file__).with_name("examples.tar.xz")  # made by datasets/pack_examples.py
EVERYTHING = "all"
DIGITS = "datasets/digits"

# Each example's configuration, and the folder of its images; the others want images of one's own.
IMAGES: Mapping[str, str | None] = {
    "lecture": "datasets/strokes",
    "digits": DIGITS,
    "lenet": None,
    "residual": None,
    "vgg": None,
    "cats_dogs": None,
}


@dataclass(frozen=True)
class WrittenExample:
    """An example in a folder: its configuration, None for all of them, and its images, None where it has none."""

    config: Path | None
    images: Path | None
    count: int


def write_example(name: str, folder: Path) -> WrittenExample:
    """Write an example as it lies in the project, configs/NAME.yaml and datasets/…; `all` is all that there is.

    What is there already stays as it is. Raises ConfigError where a file would be another one, or cannot be written.
    """
    if name not in (*IMAGES, EVERYTHING):
        raise unknown("example", name, [*IMAGES, EVERYTHING])
    config, images = f"configs/{name}.yaml", IMAGES.get(name)
    files = {
        path: content
        for path, content in _files().items()
        if name == EVERYTHING or path == config or (images and path.startswith(f"{images}/"))
    }
    _write(files, folder)
    count = sum(path.endswith(".png") for path in files)
    if name == EVERYTHING:
        return WrittenExample(None, folder / "datasets", count)
    return WrittenExample(folder / config, folder / images if images else None, count)


def write_images(images: str, folder: Path) -> int:
    """Write an example's images alone, and return how many they are."""
    files = {path: content for path, content in _files().items() if path.startswith(f"{images}/")}
    _write(files, folder)
    return len(files)


@cache
def _files() -> dict[str, bytes]:
    """Return every file of the archive by its path in the project."""
    with tarfile.open(ARCHIVE) as archive:
        return {entry.name: member.read() for entry in archive if (member := archive.extractfile(entry))}


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files, none of them over another one. Raises ConfigError."""
    try:
        for name, content in files.items():
            if (folder / name).exists() and (folder / name).read_bytes() != content:
                raise ConfigError(f"{str(folder / name)!r} is there already, and another one: choose another folder")
        for name, content in files.items():
            if not (folder / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
    except OSError as error:
        raise ConfigError(f"cannot write {str(error.filename)!r}: {error.strerror}") from error
