"""An image folder in the making, which is there as a whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from cnnbp.arrays import Array
from cnnbp.data.imports.containers import Bounded
from cnnbp.data.imports.names import Names
from cnnbp.errors import DataError
from cnnbp.files import PARTIAL

_FASTEST = 1  # of PNG's compressions: a tenth larger than the best


class NewFolder:
    """Takes image files, and images as arrays, which become PNGs; none over another."""

    def __init__(self, root: Path) -> None:
        self.root, self.images = root, 0
        self._names, self._numbers = Names(), dict[str, int]()

    def copy(self, parts: tuple[str, ...], content: Bounded) -> None:
        """Write a file as it is."""
        with self._free(parts).open("xb") as file:
            while data := content.read():
                file.write(data)

    def draw(self, folder: tuple[str, ...], pixels: Array) -> None:
        """Write levels (H, W) or (H, W, 3) as the next image of a split, in the folder of its class."""
        split = folder[0] if len(folder) > 1 else ""
        number = self._numbers[split] = self._numbers.get(split, 0) + 1
        with self._free((*folder, f"{number:06}.png")).open("xb") as file:
            Image.fromarray(pixels).save(file, "PNG", compress_level=_FASTEST)

    def _free(self, parts: tuple[str, ...]) -> Path:
        self._names.add(parts)
        self.images += 1
        path = self.root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@contextmanager
def new_folder(target: Path) -> Iterator[NewFolder]:
    """Give a folder to fill, which gets its name at the end, and is gone if that is not reached. Raises DataError."""
    target = target.absolute()
    beside = target.with_name(f"{target.name}{PARTIAL}")
    if target.exists() or target.is_symlink():
        raise DataError(f"{str(target)!r} is there already: name a folder that is not")
    try:
        beside.mkdir()
    except FileExistsError:
        raise DataError(f"{str(beside)!r} is left from an import that was stopped: remove it first") from None
    except OSError as error:
        raise DataError(f"cannot make the folder {str(target)!r}: {error.strerror}") from error
    try:
        yield NewFolder(beside)
        beside.rename(target)
    except BaseException as error:
        shutil.rmtree(beside, ignore_errors=True)
        if beside.exists():
            raise DataError(f"{error}; {str(beside)!r} is left half-written: remove it") from error
        raise
