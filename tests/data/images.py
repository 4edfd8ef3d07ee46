"""Real files for the tests of the data floor."""

import numpy as np
from PIL import Image

from cnnbp.data.decode import read_image
from cnnbp.data.folder import scan_folder
from cnnbp.data.opening import muted_pillow


def save(path, pixels, **options):
    """Save an array, or a Pillow image, under `path`; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels))
    image.save(path, **options)
    return path


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def noise_folder(root, per_class=5, size=(4, 4), classes=("a", "b")):
    """Write grey noise, all different, and scan it."""
    for label, name in enumerate(classes):
        for number in range(per_class):
            save(root / name / f"{number}.png", noise(*size, seed=label * per_class + number))
    return scan_folder(root)


def decode_image(path, image_format):
    """Return one image as uint8 (C, H, W)."""
    with muted_pillow():
        return read_image(path, image_format).pixels
