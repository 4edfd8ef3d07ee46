"""The command line: one file per verb, thin, and one place that turns errors into exit codes.

A verb is a module of its name with a function of its name, and a line in `verbs.VERBS`:

    @verb
    def shapes(config: ConfigFile, arguments: Overrides = (), *, common: Common) -> None:
        job = load_job(config, arguments, common)           parse
        result = network_shapes(job.network)                call: a frozen dataclass
        if common.json:
            write_json(result)                              report, as one JSON document
        else:
            draw_shapes(result, results_console())          report, for people
        raise typer.Exit(code)                              only where the exit code is not 0

The module is imported when its verb runs, so it may import what it needs at its top. A user's mistake raises a
`CnnbpError`; whatever else escapes is a bug and keeps its traceback. Results go to stdout (`results_console`,
`write_json`), progress and warnings to stderr (`notes_console`).
"""

import gc
import sys
import warnings
from typing import Annotated

import typer

from cnnbp.cli.streams import StdoutLost, end_without_stdout, prepare_streams
from cnnbp.cli.verbs import VERBS, VerbGroup

app = typer.Typer(
    name="cnnbp",
    cls=VerbGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from cnnbp import __version__

        typer.echo(f"cnnbp {__version__}")
        raise typer.Exit


@app.callback()
def cnnbp(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train small convolutional networks on image folders, and take their gradients apart."""


def _register() -> None:
    for name, verb in VERBS.items():
        app.command(name, help=verb.line, rich_help_panel=verb.panel)(
            lambda: None
        )  # a line of help; VerbGroup loads the verb itself when it runs


_register()


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    prepare_streams()
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # NumPy's, of our lines: verbs say what is not finite
    try:
        try:
            app(prog_name="cnnbp")
        finally:
            sys.stdout.flush()
    except StdoutLost as lost:
        end_without_stdout(lost)
    finally:
        gc.freeze()  # the interpreter's last look for cycles, through all that was imported, takes as long as a verb
