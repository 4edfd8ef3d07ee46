"""Every PNG of a folder as cnnbp decodes it, against a decoder written from the specification; exit 1 if they differ.

python -m tests.data.pngsuite DIR

Meant for PngSuite (http://www.schaik.com/pngsuite): colours at full depth, scaled to 0…255, transparency on white.
Its files whose names begin with x are damaged, and must be refused. What is allowed is half a level for rounding, and
one more where Pillow cuts 16 bits to 8, two where it then blends them.
"""

import sys
from pathlib import Path

import numpy as np
from rich.console import Console

from cnnbp.data.decode import ImageFormat
from cnnbp.errors import DataError
from tests.data.images import decode_image
from tests.data.png import COLOUR, GREY
from tests.data.png_reader import chunks_of, picture

_HALF = 0.51


def complaint(path: Path) -> str:
    """Return what is wrong with how a file is decoded, or nothing."""
    if path.name.startswith("x"):
        return "" if is_refused(path) else "is damaged and was not refused"
    content = path.read_bytes()
    wanted = picture(content)
    decoded = decode_image(path, ImageFormat(3, *wanted.shape[:2])).transpose(1, 2, 0)
    depth, colour_type = chunks_of(content)[b"IHDR"][8:10]
    allowed = _HALF + ({GREY: 0, COLOUR: 1}.get(colour_type, 2) if depth == 16 else 0)
    largest = np.abs(decoded - wanted).max()
    return "" if largest <= allowed else f"is wrong by {largest:.2f} levels of 255; {allowed} are allowed"


def is_refused(path: Path) -> bool:
    """Tell whether decoding it is an error."""
    try:
        decode_image(path, ImageFormat(3, 32, 32))
    except DataError:
        return True
    return False


def main(folder: str) -> int:
    console = Console(highlight=False)
    complaints = {path.name: complaint(path) for path in sorted(Path(folder).glob("*.png"))}
    for name, text in complaints.items():
        if text:
            console.print(f"{name} {text}")
    wrong = sum(map(bool, complaints.values()))
    console.print(f"{len(complaints)} files, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
