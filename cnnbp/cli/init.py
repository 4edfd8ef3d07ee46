"""`cnnbp init`: a commented starter configuration."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, verb
from cnnbp.config.starter import starter_config
from cnnbp.errors import ConfigError
from cnnbp.report.console import notes_console, one_line


@verb
def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The YAML file to write.")] = Path("cnnbp.yaml"),
    *,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="An image folder that it is fitted to.")] = None,
    common: Common,
) -> None:
    """Write a configuration to begin with. Never over a file that exists."""
    text = starter_config(data, file.absolute().parent)
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{str(file)!r} exists already: name another file, or remove it first") from error
    except OSError as error:
        raise ConfigError(f"cannot write {str(file)!r}: {error.strerror}") from error
    notes_console(quiet=common.quiet).print(
        f"wrote {one_line(str(file))}; next: cnnbp train {one_line(shlex.quote(str(file)))}", soft_wrap=True
    )
