"""`cnnbp grads`: one batch under the microscope."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cnnbp.cli.common import Common, DataAndOverrides, verb
from cnnbp.cli.subject import ConfigOrRun, load_subject, tell_about
from cnnbp.inspect.examine import inspect_batch, is_small
from cnnbp.inspect.images import batch_images
from cnnbp.inspect.record import Model, Record
from cnnbp.inspect.save import save_record
from cnnbp.report.console import notes_console, one_line, results_console
from cnnbp.report.document import write_json
from cnnbp.report.grads import draw_grads, grads_document
from cnnbp.report.trained import draw_trained

_READABLE = 4  # images whose numbers can be read one by one


@verb
def grads(
    subject: ConfigOrRun,
    arguments: DataAndOverrides = None,
    *,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="M", help="Images; by default 4 for a tiny network, else the configuration's batch_size."
        ),
    ] = None,
    training: Annotated[bool, typer.Option("--train", help="With dropout, as in training.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Write the batch, its parameters and gradients, float64.")
    ] = None,
    common: Common,
) -> None:
    """Follow the chain rule through one batch, forward and backward, image by image."""
    chosen = load_subject(subject, arguments, common)
    config = chosen.config
    count = batch or (_READABLE if is_small(config.network) else config.train.batch_size)
    images = batch_images(config, count, trained=chosen.trained, threads=common.cores)
    tell_about(images, config, common)
    loss = config.loss.balanced(images.class_counts)
    model = Model(config.network, loss, chosen.parameters, chosen.running_statistics)
    inspection = inspect_batch(model, images, config.train.optimizer, dropout=training, seed=config.seed)
    notes = notes_console(quiet=common.quiet)
    if save:
        _save(inspection.record, save, notes)
    if common.json:
        write_json(grads_document(inspection))
        return
    if chosen.run:
        draw_trained(chosen.run, notes)
    draw_grads(inspection, results_console())


def _save(record: Record, path: Path, notes: Console) -> None:
    over = ", over an older one" if path.exists() else ""
    save_record(record, path)
    notes.print(f"wrote {one_line(str(path))}{over}", soft_wrap=True)
