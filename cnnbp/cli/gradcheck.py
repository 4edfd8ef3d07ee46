"""`cnnbp gradcheck`: analytic gradients against numeric ones."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, DataAndOverrides, Trust, verb
from cnnbp.cli.config_or_run import ConfigOrRun, load_config_or_run, tell_about
from cnnbp.config import Config, parse_layer
from cnnbp.errors import ConfigError
from cnnbp.gradcheck import GradcheckReport, Training, check_network
from cnnbp.gradcheck.bugs import fitting_bugs, plant, plant_in_training
from cnnbp.gradcheck.selftest import networks, self_test, trained_networks
from cnnbp.inspect.images import batch_images
from cnnbp.porting.dump import judge
from cnnbp.porting.files import load_tensors
from cnnbp.porting.layouts import Layout
from cnnbp.report.comparison import comparison_document, draw_comparison
from cnnbp.report.console import notes_console, one_line, results_console
from cnnbp.report.document import write_json
from cnnbp.report.gradcheck import draw_gradcheck, gradcheck_document
from cnnbp.report.gradcheck_picture import save_gradcheck
from cnnbp.report.progress import progress_bar
from cnnbp.report.selftest import draw_bugs, draw_self_test, self_test_document

_EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 4}
_LIST = "list"
_DUMP = "One layer of another program"


@verb
def gradcheck(
    subject: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG|RUN]", show_default=False, help="The YAML file; or a run, or a checkpoint."),
    ] = None,
    arguments: DataAndOverrides = None,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Check every entry of every parameter and of the input.")
    ] = False,
    entries: Annotated[int | None, typer.Option(min=1, metavar="N", help="Check at most N entries per tensor.")] = None,
    tensors: Annotated[
        list[str] | None,
        typer.Option("--tensor", metavar="NAME", help="Check this alone (conv1.W; X: the images); may be repeated."),
    ] = None,
    batch: Annotated[int, typer.Option(min=3, metavar="M", help="Images; with fewer 1/M could look right.")] = 3,
    bug: Annotated[
        str | None,
        typer.Option(
            "--break", metavar="LAYER:BUG", help="Plant a bug in one layer's backward first; list names those that fit."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw every entry, where the wrong ones are, and errors.")
    ] = None,
    dump: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Judge the x, W, b, dy, y, dx, dW, db that it has.",
            rich_help_panel=_DUMP,
        ),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(metavar="LAYER", help="What it is: 'conv2d: {filters: 4, kernel: 3}'.", rich_help_panel=_DUMP),
    ] = None,
    layout: Annotated[
        Layout, typer.Option(help="Of the file: the batch last, or first as in PyTorch.", rich_help_panel=_DUMP)
    ] = Layout.CHWM,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="T", help="A share of the numbers' size, instead of some roundings.", rich_help_panel=_DUMP
        ),
    ] = None,
    test_itself: Annotated[
        bool, typer.Option("--self-test", help="Plant every bug wherever it shows, without CONFIG: are all found?")
    ] = False,
    trust: Trust = False,
    common: Common,
) -> None:
    """Check every gradient, layer by layer and end to end."""
    if dump or like:
        _judge_dump(dump, like, layout, tolerance, subject or bug or tensors, common)
    if layout is not Layout.CHWM or tolerance is not None:
        raise ConfigError("--layout and --tolerance are about the file that --dump names")
    if test_itself:
        _self_test(subject or bug, common)
    if subject is None:
        raise ConfigError("gradcheck needs a CONFIG or a RUN (or --self-test, which takes none)")
    chosen = load_config_or_run(subject, arguments, common, trust=trust)
    if bug == _LIST:
        _list_bugs(chosen, common)
    report = _check(chosen, bug, sys.maxsize if full else entries, tensors or (), batch, common)
    _show(report, plot, common)
    raise typer.Exit(_EXIT_CODES[report.verdict])


def _check(
    chosen: ConfigOrRun, bug: str | None, entries: int | None, tensors: Sequence[str], batch: int, common: Common
) -> GradcheckReport:
    config = chosen.config
    images = batch_images(config, batch, trained=chosen.trained, threads=common.cores)
    network, loss = config.network, config.loss.balanced(images.class_counts)
    training = _training(config)
    if bug:
        broken = plant_in_training(network, training, bug)
        network, loss = (network, loss) if broken else plant(network, loss, bug, training)
        training = broken or training
    tell_about(images, config, common)
    with progress_bar(notes_console(quiet=common.quiet), after=1.0) as bar:
        return check_network(
            network,
            loss,
            chosen.parameters,
            chosen.running_statistics,
            images.x,
            images.labels,
            entries=entries,
            tensors=tensors,
            training=training,
            seed=config.seed,
            threads=common.threads,
            progress=lambda done, total: bar.show("checking entries", done, total),
        )


def _training(config: Config) -> Training:
    return Training.of(config.network, config.train.batch_size)


def _show(report: GradcheckReport, plot: Path | None, common: Common) -> None:
    """Draw or write a report, and its picture where one is wanted."""
    if common.json:
        write_json(gradcheck_document(report))
    else:
        draw_gradcheck(report, results_console())
    if plot:
        save_gradcheck(report, plot)
        notes_console(quiet=common.quiet).print(f"wrote {one_line(str(plot))}", soft_wrap=True)


def _list_bugs(chosen: ConfigOrRun, common: Common) -> None:
    """Name the bugs that can be planted in a network, and end."""
    config = chosen.config
    bugs = fitting_bugs(config.network, config.loss, _training(config))
    if common.json:
        write_json(bugs)
    else:
        draw_bugs(bugs, results_console())
    raise typer.Exit


def _judge_dump(
    dump: Path | None, like: str | None, layout: Layout, tolerance: float | None, unwanted: object, common: Common
) -> None:
    """Judge what another program has computed, and end. Raises ConfigError where something is missing or too much."""
    if dump is None or like is None:
        raise ConfigError("--dump FILE and --like 'conv2d: {filters: 4, kernel: 3}' go together")
    if unwanted:
        raise ConfigError("--dump brings its own layer and numbers: it takes no CONFIG, no --break and no --tensor")
    report = judge(parse_layer(like, "--like"), load_tensors(dump), layout, tolerance)
    if common.json:
        write_json(comparison_document(report))
    else:
        draw_comparison(report, results_console())
    raise typer.Exit(int(report.verdict == "fail"))


def _self_test(unwanted: object, common: Common) -> None:
    """Check the checker, and end. Raises ConfigError where there is something else to check."""
    if unwanted:
        raise ConfigError("--self-test brings its own networks and bugs: it takes neither CONFIG nor --break")
    with progress_bar(notes_console(quiet=common.quiet)) as bar:
        report = self_test(
            networks(), lambda done, total: bar.show("planting bugs", done, total), trained=trained_networks()
        )
    if common.json:
        write_json(self_test_document(report))
    else:
        draw_self_test(report, results_console())
    raise typer.Exit(_EXIT_CODES[report.verdict])
