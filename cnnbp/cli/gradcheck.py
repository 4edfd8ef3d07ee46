"""`cnnbp gradcheck`: analytic gradients against numeric ones."""

import sys
from typing import Annotated

import typer

from cnnbp.cli.common import Common, DataAndOverrides, verb
from cnnbp.cli.subject import ConfigOrRun, Subject, load_subject
from cnnbp.engine import available_cores
from cnnbp.gradcheck import check_network
from cnnbp.inspect.images import Images, folder_images, random_images
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.document import write_json
from cnnbp.report.gradcheck import draw_gradcheck, gradcheck_document
from cnnbp.report.progress import progress_bar

_EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 4}


@verb
def gradcheck(
    subject: ConfigOrRun,
    arguments: DataAndOverrides = None,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Check every entry of every parameter and of the input.")
    ] = False,
    entries: Annotated[int | None, typer.Option(min=1, metavar="N", help="Check at most N entries per tensor.")] = None,
    batch: Annotated[int, typer.Option(min=1, metavar="M", help="Images; with one alone 1/M cannot be seen.")] = 3,
    common: Common,
) -> None:
    """Check every gradient, layer by layer and end to end."""
    chosen = load_subject(subject, arguments, common)
    network, seed, notes = chosen.config.network, chosen.config.seed, notes_console(quiet=common.quiet)
    images = _images(chosen, batch, common)
    if not (chosen.config.data and chosen.config.data.path):
        notes.print(f"no image folder given: the batch is random numbers, seed {seed}")
    state = chosen.trained.state if chosen.trained else None
    with progress_bar(notes) as bar:
        report = check_network(
            network,
            chosen.config.loss.balanced(images.class_counts),
            state.parameters if state else network.initial_parameters(seed),
            state.running_statistics if state else network.initial_state(),
            images.x,
            images.labels,
            entries=sys.maxsize if full else entries,
            seed=seed,
            threads=common.threads,
            progress=lambda done, total: bar.show("checking entries", done, total),
        )
    if common.json:
        write_json(gradcheck_document(report))
    else:
        draw_gradcheck(report, results_console())
    raise typer.Exit(_EXIT_CODES[report.verdict])


def _images(subject: Subject, count: int, common: Common) -> Images:
    config = subject.config
    if config.data and config.data.path:
        return folder_images(config, count, trained=subject.trained, threads=common.threads or available_cores())
    return random_images(config, count)
