"""Write the datasets that come with cnnbp: `digits` from scikit-learn's copy of the UCI set, `strokes` from scratch.

    python datasets/make_datasets.py [digits] [strokes] [--to FOLDER]

Both are deterministic. `digits` needs scikit-learn: pip install -e '.[datasets]'.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnbp.data.split import stratified_split

Pixels = NDArray[np.uint8]

SEED = 0
TEST_FRACTION = 0.2
STROKE_SIZE = 6
SHORTEST_STROKE = 3


def save_png(pixels: Pixels, path: Path) -> None:
    """Save an (H, W) array as 8-bit grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, optimize=True)


def digits() -> tuple[Pixels, NDArray[np.intp]]:
    """Return the 1797 scans as (N, 8, 8) in 0…255, and their classes; the source counts ink in 0…16."""
    from sklearn.datasets import load_digits

    source = load_digits()
    pixels = np.rint(source.images * (255 / 16)).astype(np.uint8)
    return pixels, source.target.astype(np.intp)


def write_digits(folder: Path) -> None:
    """Write FOLDER/{train,test}/<digit>/<index in the source>.png."""
    pixels, labels = digits()
    for split, indices in zip(("train", "test"), stratified_split(labels, TEST_FRACTION, SEED), strict=True):
        for index in indices:
            save_png(pixels[index], folder / split / str(labels[index]) / f"{index:04d}.png")


def horizontal_strokes(rng: np.random.Generator) -> Iterator[Pixels]:
    """Yield every horizontal bar of three pixels or more in a 6×6 image, light on dark, with noise: 60 of them."""
    for length in range(SHORTEST_STROKE, STROKE_SIZE + 1):
        for row in range(STROKE_SIZE):
            for start in range(STROKE_SIZE - length + 1):
                image = rng.integers(0, 60, (STROKE_SIZE, STROKE_SIZE))
                image[row, start : start + length] = rng.integers(180, 256, length)
                yield image.astype(np.uint8)


def strokes() -> dict[str, list[Pixels]]:
    """Return the images of both classes; vertical bars are horizontal ones on their side, with noise of their own."""
    rng = np.random.default_rng(SEED)
    return {
        "horizontal": list(horizontal_strokes(rng)),
        "vertical": [image.T.copy() for image in horizontal_strokes(rng)],
    }


def write_strokes(folder: Path) -> None:
    """Write FOLDER/{horizontal,vertical}/<number>.png."""
    for name, images in strokes().items():
        for number, image in enumerate(images):
            save_png(image, folder / name / f"{number:02d}.png")


WRITERS = {"digits": write_digits, "strokes": write_strokes}


def main() -> None:
    """Write the named datasets, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="digits or strokes; both when none is named")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent, metavar="FOLDER", help="default: here")
    arguments = parser.parse_args()
    for name in arguments.names or WRITERS:
        if name not in WRITERS:
            parser.error(f"unknown dataset {name!r}; there are {', '.join(WRITERS)}")
        WRITERS[name](arguments.to / name)


if __name__ == "__main__":
    main()
