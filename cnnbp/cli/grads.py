"""`cnnbp grads`: one batch under the microscope."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.batch import ImagesAndOverrides, ImageSeed, Labels, Wanted, Weights, read_batch
from cnnbp.cli.common import Common, MaxPixels, Trust, verb
from cnnbp.cli.config_or_run import ConfigOrRunPath
from cnnbp.errors import ConfigError
from cnnbp.inspect.examine import inspect_batch
from cnnbp.porting.files import require_suffix, save_reference
from cnnbp.porting.layouts import Layout
from cnnbp.porting.reference import reference_of
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.document import write_json
from cnnbp.report.grads import draw_grads, grads_document
from cnnbp.report.porting import draw_saved
from cnnbp.report.trained import draw_trained

_FILE = "The batch as a file"


@verb
def grads(
    subject: ConfigOrRunPath,
    arguments: ImagesAndOverrides = None,
    *,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="M", help="Images; by default 4 for a tiny network, else the configuration's batch_size."
        ),
    ] = None,
    labels: Labels = None,
    weights: Weights = None,
    image_seed: ImageSeed = None,
    training: Annotated[bool, typer.Option("--train", help="With dropout, as in training.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write every value and gradient, float64, as .npz or .safetensors.",
            rich_help_panel=_FILE,
        ),
    ] = None,
    layout: Annotated[
        Layout, typer.Option(help="Of the file: the batch last, or first as in PyTorch.", rich_help_panel=_FILE)
    ] = Layout.CHWM,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.", rich_help_panel=_FILE)
    ] = False,
    max_pixels: MaxPixels = None,
    trust: Trust = False,
    common: Common,
) -> None:
    """Follow the chain rule through one batch, forward and backward, image by image."""
    if save:
        _require_free(save, force)
    elif force or layout is not Layout.CHWM:
        raise ConfigError("--force and --layout are about the file that --save writes: name one")
    wanted = Wanted(labels, weights, image_seed, batch, trust=trust, max_pixels=max_pixels)
    chosen = read_batch(subject, arguments, wanted, common)
    config, images = chosen.config, chosen.images
    inspection = inspect_batch(chosen.model, images, config.train.optimizer, dropout=training, seed=config.seed)
    notes = notes_console(quiet=common.quiet)
    if save:
        reference = reference_of(inspection.record, config, images, layout)
        save_reference(save, reference)
        draw_saved(save, reference, notes)
    if common.json:
        write_json(grads_document(inspection))
        return
    if chosen.run:
        draw_trained(chosen.run, notes)
    draw_grads(inspection, results_console())


def _require_free(path: Path, force: bool) -> None:
    require_suffix(path)
    if path.exists() and not force:
        raise ConfigError(f"{str(path)!r} exists already; --force writes over it")
