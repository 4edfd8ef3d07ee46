"""What the images of a folder look like, from the headers of some of them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from cnnbp.data.convert import upright_size
from cnnbp.data.decode import ImageFormat
from cnnbp.data.opening import UnreadableImage, muted_pillow, opened_image
from cnnbp.errors import DataError

_SAMPLE = 200  # files
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B")


@dataclass(frozen=True)
class Survey:
    """The medians of height and width, 1 channel if all are grey, else 3, and whether most are colour photographs."""

    channels: int
    height: int
    width: int
    photos: bool = False


def survey_images(files: Sequence[Path]) -> Survey:
    """Look at up to 200 files, evenly spread. Raises DataError when none of them can be read."""
    headers: list[tuple[int, int, str, bool]] = []
    with muted_pillow():
        for file in files[:: max(1, -(-len(files) // _SAMPLE))]:
            with suppress(UnreadableImage), opened_image(file, ImageFormat.max_pixels) as image:
                headers.append((*upright_size(image), image.mode, image.format in ("JPEG", "MPO")))
    if not headers:
        raise DataError(f"none of the {len(files)} images can be read; the first is {str(files[0])!r}")
    widths, heights, modes, jpegs = zip(*headers, strict=True)
    channels = 1 if set(modes) <= set(_GREY_MODES) else 3
    photos = channels == 3 and 2 * sum(jpegs) > len(jpegs)
    return Survey(channels, median_low(heights), median_low(widths), photos)
