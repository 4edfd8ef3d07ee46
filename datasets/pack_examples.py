"""Pack the configurations and the datasets into the archive that `cnnbp init --example` unpacks."""

import lzma
import tarfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from cnnbp.data.examples import ARCHIVE

ROOT = Path(__file__).resolve().parents[1]


def files() -> list[tuple[str, bytes]]:
    """Return what belongs into the archive: each file's path in the project, and its content."""
    found = [*(ROOT / "configs").rglob("*.yaml"), *(ROOT / "datasets").rglob("*.png"), ROOT / "datasets" / "README.md"]
    schema = ROOT / "configs" / "cnnbp.schema.json"  # what an editor reads of a configuration
    return [(path.relative_to(ROOT).as_posix(), path.read_bytes()) for path in (*found, schema)]


def packed(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the archive of some files; the same files give the same bytes."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, BytesIO(content))
    return lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)


if __name__ == "__main__":
    ARCHIVE.write_bytes(packed(files()))
