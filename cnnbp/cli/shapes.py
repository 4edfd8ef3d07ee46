"""`cnnbp shapes`: every tensor's shape, forward and backward, and its cost."""

from typing import Annotated

import typer

from cnnbp.cli.common import Common, ConfigFile, Overrides, load_job, split_arguments, verb
from cnnbp.errors import ConfigError
from cnnbp.inspect.costs import network_shapes, with_batch
from cnnbp.inspect.memory import step_memory
from cnnbp.report.console import results_console
from cnnbp.report.document import write_json
from cnnbp.report.shapes import draw_backward, draw_shapes, draw_totals, shapes_document


@verb
def shapes(
    config: ConfigFile,
    overrides: Overrides = None,
    backward: Annotated[bool, typer.Option("--backward", help="The gradients' shapes as well.")] = False,
    batch: Annotated[
        int | None, typer.Option(min=1, help="M; measures the memory of a training step on it.", show_default=False)
    ] = None,
    *,
    common: Common,
) -> None:
    """Show the shapes and the cost of a network. Nothing is read but CONFIG."""
    data, _ = split_arguments(overrides)
    if data is not None:
        raise ConfigError(f"shapes reads no images: what is {str(data)!r}? An option is written key=value")
    job = load_job(config, overrides, common)
    result = network_shapes(job.network, job.loss, batch or job.train.batch_size, job.train.planner)
    if batch:
        threads = common.cores
        step = step_memory(job.network, job.loss, job.train.optimizer, batch, threads, job.train.planner)
        result = with_batch(result, step)
    if common.json:
        write_json(shapes_document(result))
        return
    console = results_console()
    draw_shapes(result, console)
    if backward:
        console.print()
        draw_backward(result, console)
    console.print()
    draw_totals(result, console)
