"""Names of files in archives: whether they stay inside a folder, whether two are one, and which split they are of."""

import re
from hashlib import blake2b
from unicodedata import normalize

from cnnbp.data.layout import SPLIT_NAMES
from cnnbp.errors import DataError

_DEEPEST = 32  # folders in folders
_LONGEST = 255  # bytes of a file's name, as most systems have it
_OTHER_SPLIT_WORDS = {"t10k": "test", "data": "train"}  # MNIST's test images, CIFAR's data_batch_1


def safe_parts(name: str) -> tuple[str, ...]:
    """Return the folders of a name and its last part. Raises DataError where it could lead anywhere else."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise DataError(f"it has the absolute path {name!r}")
    if ".." in parts:
        raise DataError(f"the path {name!r} leads out of it")
    if re.search(r"[\x00-\x1f\x7f\\]", name):
        raise DataError(f"the name {name!r} has a backslash or a control character in it")
    if len(parts) > _DEEPEST or any(len(part.encode("utf-8", "surrogateescape")) > _LONGEST for part in parts):
        raise DataError(f"the name {name[:80]!r}… is too long: at most {_LONGEST} bytes, {_DEEPEST} folders deep")
    return parts


class Names:
    """The files and folders of a source; each is known by a digest, as there may be millions."""

    def __init__(self) -> None:
        self._files: set[bytes] = set()
        self._folders: dict[bytes, bytes] = {}

    def add(self, parts: tuple[str, ...]) -> None:
        """Take a file in. Raises DataError where a system that ignores letter case would take it for another one."""
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            exact = self._folders.setdefault(_folded(folder), _digest(folder))
            if exact != _digest(folder):
                raise DataError(f"the folder {folder!r} is there twice, but for letter case or Unicode form")
        name = "/".join(parts)
        if _folded(name) in self._files:
            raise DataError(f"{name!r} is there twice, perhaps in another letter case or Unicode form")
        self._files.add(_folded(name))


def _folded(name: str) -> bytes:
    return _digest(normalize("NFC", normalize("NFC", name).casefold()))


def _digest(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def split_of(name: str) -> str | None:
    """Return the split that a word of a file's or array's name spells, as in train-images-idx3-ubyte."""
    words = re.split(r"[^a-z0-9]+", name.rpartition("/")[2].lower())
    return next((split for word in words if (split := (SPLIT_NAMES | _OTHER_SPLIT_WORDS).get(word))), None)
