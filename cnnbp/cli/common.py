"""What all verbs share: the options that each of them takes, and how CONFIG and its arguments are read."""

import inspect
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cnnbp.config import Config, OwnCode, layers_of, load_config
from cnnbp.errors import ConfigError

_PANEL = "Common options"


def _without_color(wanted: bool) -> bool:
    if wanted:
        os.environ["NO_COLOR"] = "1"  # what Typer and Rich ask, too
    return wanted


@dataclass(frozen=True)
class Common:
    """The options of every verb. `seed` None leaves the configuration's, `threads` None takes every core."""

    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.", rich_help_panel=_PANEL)] = False
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no warnings.", rich_help_panel=_PANEL)] = (
        False
    )
    seed: Annotated[
        int | None, typer.Option(min=0, help="Instead of the configuration's seed.", rich_help_panel=_PANEL)
    ] = None
    threads: Annotated[
        int | None, typer.Option(min=1, help="How many cores to use; by default all.", rich_help_panel=_PANEL)
    ] = None
    no_color: Annotated[
        bool,
        typer.Option("--no-color", help="Plain text.", callback=_without_color, is_eager=True, rich_help_panel=_PANEL),
    ] = False

    @property
    def cores(self) -> int:
        """How many cores to use."""
        from cnnbp.engine import available_cores  # not every verb needs it

        return self.threads or available_cores()

    @property
    def overrides(self) -> list[str]:
        """What these options change in a configuration."""
        return [] if self.seed is None else [f"seed={self.seed}"]


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the common options: it takes them as `common`, the command line as options of their own."""
    signature = inspect.signature(function)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "common"]
    shared = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for field in fields(Common)
    ]

    @wraps(function)
    def command(**arguments: Any) -> None:
        common = Common(**{parameter.name: arguments.pop(parameter.name) for parameter in shared})
        function(**arguments, common=common)

    command.__signature__ = signature.replace(parameters=[*own, *shared])  # type: ignore[attr-defined]
    return command


ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", show_default=False, help="The YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]…", show_default=False, help="Options to change, as train.epochs=3."),
]
DataAndOverrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATA] [KEY=VALUE]…",
        show_default=False,
        help="The image folder; options to change, as train.epochs=3.",
    ),
]


Trust = Annotated[
    bool, typer.Option("--trust", help="Run the Python code of layers that the run was trained with, if it has any.")
]


MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels", min=1, metavar="N", show_default=False, help="Instead of the configuration's data.max_pixels."
    ),
]


def split_arguments(arguments: Sequence[str] | None) -> tuple[Path | None, list[str]]:
    """Return DATA and the overrides out of what stands after CONFIG. Raises ConfigError for a second DATA.

    An override begins with `key=` or `key.key=`; a folder of such a name is written ./key=.
    """
    overrides = [argument for argument in arguments or () if re.match(r"[A-Za-z_][\w.]*=", argument)]
    data = [argument for argument in arguments or () if argument not in overrides]
    if len(data) > 1:
        raise ConfigError(f"one image folder at most, got {len(data)}: {', '.join(map(repr, data))}")
    return (Path(data[0]) if data else None), overrides


def load_job(config: Path, arguments: Sequence[str] | None, common: Common) -> Config:
    """Read CONFIG with its overrides, DATA and `--seed`. Raises ConfigError with every problem at its place."""
    data, overrides = split_arguments(arguments)
    job = load_config(config, [*overrides, *common.overrides], may_import=True)
    if job.code:
        _tell_what_runs(job.code, common)
    return job if data is None else job.with_data(data)


def _tell_what_runs(codes: Sequence[OwnCode], common: Common) -> None:
    from cnnbp.report.console import notes_console, printable

    for code in codes:
        line = f"imported {code.name}: {', '.join(layers_of(code))} (SHA-256 {code.digest[:16]}…)"
        notes_console(quiet=common.quiet).print(printable(line), soft_wrap=True)
