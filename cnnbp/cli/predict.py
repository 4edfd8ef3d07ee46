"""`cnnbp predict`: what a run takes images for."""

import os
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, MaxPixels, Trust, verb
from cnnbp.cli.config_or_run import RunPath
from cnnbp.data.store import BadImage
from cnnbp.errors import DataError
from cnnbp.evaluate.predictions import FoundImages, Prediction, find_images
from cnnbp.evaluate.predictions import predict as predicted
from cnnbp.report.console import notes_console, print_error, results_console
from cnnbp.report.document import write_json
from cnnbp.report.notes import draw_notes
from cnnbp.report.predict import draw_predictions, draw_trained_images, predictions_document
from cnnbp.report.progress import progress_bar
from cnnbp.report.trained import draw_trained
from cnnbp.training.trained import Trained, load_trained

_STDIN = Path("-")
_LONGEST_LIST = 64 << 20  # bytes: a million names
_UTF_16 = (BOM_UTF16_LE, BOM_UTF16_BE)  # as PowerShell writes
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")  # what image files begin with


@verb
def predict(
    run: RunPath,
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE…", show_default=False, help="Files; folders; - for a list on stdin, one name a line."
        ),
    ],
    *,
    top: Annotated[int, typer.Option(min=1, metavar="K", help="Name the K most probable classes.")] = 1,
    max_pixels: MaxPixels = None,
    trust: Trust = False,
    common: Common,
) -> None:
    """Name the class of each image, with its probability. What cannot be read is named, and stops nothing."""
    trained = load_trained(run, trust=trust, max_pixels=max_pixels)
    notes = notes_console(quiet=common.quiet)
    found = find_images(_paths(images))
    draw_notes(found.skipped, {}, notes)
    if not common.json:
        draw_trained(trained, notes)
    predictions, bad = _predicted(trained, found, top, common)
    if common.json:
        write_json(predictions_document(predictions, bad, trained))
    else:
        draw_predictions(predictions, results_console())
    draw_trained_images(predictions, notes)
    for image in bad:
        print_error(f"cannot read {image.name!r}: {image.reason}")
    if bad:
        raise typer.Exit(DataError.exit_code)


def _predicted(
    trained: Trained, found: FoundImages, top: int, common: Common
) -> tuple[Sequence[Prediction], Sequence[BadImage]]:
    predictions: list[Prediction] = []
    bad = list(found.bad)
    with progress_bar(notes_console(quiet=common.quiet)) as bar:
        for some in predicted(trained, found.files, top=top, threads=common.cores):
            predictions += some.predictions
            bad += some.bad
            bar.show("predicting", len(predictions) + len(bad), len(found.files) + len(found.bad))
    return predictions, bad


def _paths(arguments: Sequence[Path]) -> Iterator[Path]:
    for argument in arguments:
        if argument == _STDIN:
            yield from map(Path, _listed())
        else:
            yield argument


def _listed() -> Iterator[str]:
    """Read names from stdin: one a line, or with a NUL after each, as `find -print0` and `git ls-files -z` write.

    Lines may end as on Windows, and begin with a byte order mark. Raises DataError for a list without names, one that
    does not end, and one that is no text.
    """
    content = sys.stdin.buffer.read(_LONGEST_LIST + 1)
    if len(content) > _LONGEST_LIST:
        raise DataError(f"the list on stdin is longer than {_LONGEST_LIST >> 20} MiB: give folders instead")
    if content.startswith(_IMAGES) or (content[:4], content[8:12]) == (b"RIFF", b"WEBP"):
        raise DataError("stdin is an image, not a list of names: save it as a file, and give its name")
    if content.startswith(_UTF_16):
        try:
            content = content.decode("utf-16", "surrogatepass").encode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise DataError(f"the list on stdin begins as UTF-16 and is none: {error.reason}") from error
    content = content.removeprefix(BOM_UTF8)
    lines = content.split(b"\0") if b"\0" in content else [line.removesuffix(b"\r") for line in content.split(b"\n")]
    names = [os.fsdecode(name) for name in lines if name]
    if not names:
        raise DataError("the list on stdin has no names")
    yield from names
