"""`cnnbp init`: something to begin with: a configuration that runs, or an example with its images."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cnnbp.cli.common import Common, verb
from cnnbp.config.starter import starter_config
from cnnbp.data.examples import DIGITS, EVERYTHING, IMAGES, WrittenExample, write_example, write_images
from cnnbp.errors import ConfigError
from cnnbp.report.console import notes_console, one_line

_FILE = Path("cnnbp.yaml")
_EXAMPLES = ", ".join((*IMAGES, EVERYTHING))


@verb
def init(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            show_default=False,
            help="The YAML file to write, by default cnnbp.yaml; with --example the folder, by default this one.",
        ),
    ] = None,
    *,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="An image folder that it is fitted to.")] = None,
    example: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Write an example instead, with its images: {_EXAMPLES}.")
    ] = None,
    common: Common,
) -> None:
    """Write a configuration to begin with. Without DIR it is for handwritten digits, which are written beside it.

    Never over a file that exists.
    """
    notes = notes_console(quiet=common.quiet)
    if example and data:
        raise ConfigError("--example brings its own images: --data does not go with it")
    if example:
        _tell_of_example(write_example(example, file or Path()), notes)
        return
    file = file or _FILE
    _require_free(file)
    written = write_images(DIGITS, file.parent) if data is None else 0
    _write(file, starter_config(data or file.parent / DIGITS, file.parent))
    if written:
        _tell(f"wrote {written:,} images into {_shown(file.parent / DIGITS)}, to try it on", notes)
    _tell(f"wrote {_shown(file)}; next: cnnbp train {_quoted(file)}", notes)
    if written:
        _tell("for images of your own: cnnbp init FILE --data FOLDER", notes)


def _require_free(file: Path) -> None:
    if file.exists():
        raise ConfigError(f"{str(file)!r} exists already: name another file, or remove it first")


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {str(file)!r}: {error.strerror}") from error


def _tell_of_example(written: WrittenExample, notes: Console) -> None:
    if written.images:
        _tell(f"wrote {written.count:,} images into {_shown(written.images)}", notes)
    if not written.config:
        return
    folder = "" if written.images else " FOLDER"
    _tell(f"wrote {_shown(written.config)}; next: cnnbp train {_quoted(written.config)}{folder}", notes)


def _shown(path: Path) -> str:
    return one_line(str(path))


def _quoted(path: Path) -> str:
    return one_line(shlex.quote(str(path)))


def _tell(line: str, notes: Console) -> None:
    notes.print(line, soft_wrap=True)
