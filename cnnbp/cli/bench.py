"""`cnnbp bench`: how fast a network trains here, layer by layer, and against PyTorch."""

from enum import StrEnum
from typing import Annotated

import typer

from cnnbp.bench import run_bench
from cnnbp.cli.common import Common, ConfigFile, DataAndOverrides, load_job, verb
from cnnbp.cli.config_or_run import tell_about
from cnnbp.config import require_own_layers_to_work
from cnnbp.inspect.images import batch_images
from cnnbp.report.bench import draw_bench
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.document import write_json
from cnnbp.report.progress import progress_bar


class Against(StrEnum):
    """What a step can be compared with."""

    TORCH = "torch"


@verb
def bench(
    config: ConfigFile,
    arguments: DataAndOverrides = None,
    *,
    batch: Annotated[
        int | None, typer.Option(min=1, metavar="M", help="Images; by default the configuration's batch_size.")
    ] = None,
    against: Annotated[
        Against | None, typer.Option(help="Build the same network in PyTorch, and take turns with it.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="How long to measure steps, about.")] = 8.0,
    common: Common,
) -> None:
    """Time a training step and its layers, next to what this machine does in large matrix products."""
    job = load_job(config, arguments, common)
    require_own_layers_to_work(job)
    images = batch_images(job, batch or job.train.batch_size, threads=common.cores)
    tell_about(images, job, common)
    with progress_bar(notes_console(quiet=common.quiet)) as bar:
        result = run_bench(
            job, images, common.cores, seconds=seconds, against_torch=against is Against.TORCH, progress=bar.show
        )
    if common.json:
        write_json(result)
    else:
        draw_bench(result, results_console())
