"""Damaged checkpoints: they load, or are a CheckpointError."""

import io
import tempfile
import zipfile
from hashlib import blake2b
from pathlib import Path
from random import Random

from cnnbp.training.checkpoint import load_checkpoint, save_checkpoint
from tests.checkpoints import checkpoint_of
from tests.fuzz.mutation import mutated

_CHECKSUM = "checksum.npy"
_NETWORKS = [
    ["flatten", {"dense": {"units": 2}}],
    [{"conv2d": {"filters": 2, "kernel": 3}}, "batchnorm", "relu", "flatten", {"dense": {"units": 2}}],
]


def seeds() -> list[bytes]:
    """Return checkpoints of small networks."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for layers in _NETWORKS:
            path = Path(folder) / "last.npz"
            save_checkpoint(path, checkpoint_of((1, 6, 6), layers))
            files.append(path.read_bytes())
    return files


def damaged(files: list[bytes], rng: Random) -> bytes:
    """Damage a file as it is or, more often, a member of it, and put all checksums right."""
    content = rng.choice(files)
    return mutated(content, files, rng) if rng.random() < 0.3 else _with_damaged_member(content, rng)


def run(path: Path) -> None:
    """Load a checkpoint."""
    load_checkpoint(path)


def _with_damaged_member(content: bytes, rng: Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    match rng.randrange(8):
        case 0:
            del members[name]
        case 1:
            members[rng.choice(["x.npy", "parameters/x.npy", "../x.npy", "x", "ü.npy"])] = members[name]
        case _:
            members[name] = mutated(members[name], list(members.values()), rng)
    return _written(members, zipfile.ZIP_DEFLATED if rng.random() < 0.05 else zipfile.ZIP_STORED)


def _written(members: dict[str, bytes], compression: int) -> bytes:
    checksum = blake2b(digest_size=32)
    for name, content in members.items():
        if name != _CHECKSUM:
            checksum.update(name.encode() + content)
    if _CHECKSUM in members:
        members[_CHECKSUM] = members[_CHECKSUM][:-32] + checksum.digest()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)  # without today's date
    return buffer.getvalue()
