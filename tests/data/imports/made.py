"""Small files as others publish them, and archives as somebody with bad intentions would make them."""

import gzip
import io
import struct
import tarfile
import zipfile

import numpy as np
from PIL import Image

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def png(seed=0, size=(4, 5)):
    file = io.BytesIO()
    Image.fromarray(noise(*size, seed=seed)).save(file, "PNG")
    return file.getvalue()


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def mnist(folder, images=12):
    """Write the four files of MNIST, compressed, and return them with what is in them."""
    files, content = [], {}
    for split, name, count in (("train", "train", images), ("test", "t10k", 5)):
        x, y = noise(count, 6, 4, seed=count), (np.arange(count) % 3).astype(np.uint8)
        content[split] = x, y
        for kind, array in (("images-idx3", x), ("labels-idx1", y)):
            files.append(folder / f"{name}-{kind}-ubyte.gz")
            files[-1].write_bytes(gzip.compress(idx(array)))
    return files, content


def cifar_records(count, labels, label_bytes=1, seed=0):
    """Return records and their pixels (N, 32, 32, 3)."""
    pixels = noise(count, 3, 32, 32, seed=seed)
    before = [np.resize(labels, count).astype(np.uint8)[:, None]] * label_bytes
    return np.hstack([*before, pixels.reshape(count, -1)]).tobytes(), pixels.transpose(0, 2, 3, 1)


def tar(path, entries, mode="w:gz"):
    """Write a tar of (name or TarInfo, content)."""
    with tarfile.open(path, mode) as archive:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path, entries, compression=zipfile.ZIP_DEFLATED):
    """Write a zip of (name or ZipInfo, content)."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def folders(*names):
    return [(name, png(seed)) for seed, name in enumerate(names)]
