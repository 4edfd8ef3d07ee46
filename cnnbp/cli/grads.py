"""`cnnbp grads`: one batch under the microscope."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.batch import ImagesAndOverrides, ImageSeed, Labels, Wanted, Weights, read_batch
from cnnbp.cli.common import Common, MaxPixels, Trust, verb
from cnnbp.cli.config_or_run import ConfigOrRunPath
from cnnbp.errors import ConfigError
from cnnbp.inspect.examine import inspect_batch
from cnnbp.inspect.selection import choose_steps
from cnnbp.porting.files import require_suffix, save_reference
from cnnbp.porting.layouts import Layout
from cnnbp.porting.reference import reference_of
from cnnbp.report.console import notes_console, one_line, results_console
from cnnbp.report.document import write_json
from cnnbp.report.grads import draw_grads, grads_document
from cnnbp.report.maps import save_maps
from cnnbp.report.porting import draw_saved
from cnnbp.report.trained import draw_trained

_FILES, _NUMBERS = "Files", "Which numbers"
_MOST_SHARES = 10_000_000  # numbers of the images' gradients, where some are to be shown


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
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layer", metavar="NAME", help="Show this layer's numbers; may be repeated.", rich_help_panel=_NUMBERS
        ),
    ] = None,
    tensors: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="TENSOR", help="Show these numbers: Z1, dW2, …", rich_help_panel=_NUMBERS),
    ] = None,
    image: Annotated[
        int | None,
        typer.Option(min=1, metavar="M", help="Whose maps; else the largest loss's.", rich_help_panel=_NUMBERS),
    ] = None,
    channel: Annotated[
        int | None,
        typer.Option(
            "--filter", min=0, metavar="K", help="Of many maps or filters, this one.", rich_help_panel=_NUMBERS
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Draw maps, filters, saliency and Grad-CAM of the image.", rich_help_panel=_FILES
        ),
    ] = None,
    svg: Annotated[bool, typer.Option("--svg", help="With --plot: SVG, not PNG.", rich_help_panel=_FILES)] = False,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough",
            help="Also what takes long: the largest curvature, and each image's gradient through batch norm.",
        ),
    ] = False,
    training: Annotated[bool, typer.Option("--train", help="With dropout, as in training.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write every value and gradient, float64, as .npz or .safetensors.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    layout: Annotated[
        Layout, typer.Option(help="Of the file: the batch last, or first as in PyTorch.", rich_help_panel=_FILES)
    ] = Layout.CHWM,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.", rich_help_panel=_FILES)
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
    chooses = bool(layers or tensors or image or channel is not None)
    inspection = inspect_batch(
        chosen.model,
        images,
        config.train.optimizer,
        dropout=training,
        seed=config.seed,
        most_shares=_MOST_SHARES if chooses else 0,
        thorough=thorough,
    )
    selection = choose_steps(inspection, layers or (), tensors or (), image, channel or 0) if chooses else None
    notes = notes_console(quiet=common.quiet)
    if save:
        reference = reference_of(inspection.record, config, images, layout)
        save_reference(save, reference)
        draw_saved(save, reference, notes)
    if plot:
        index = inspection.images[0].index if image is None else image - 1
        files = save_maps(inspection, index, channel or 0, plot, ".svg" if svg else ".png")
        name = one_line(images.names[index])
        notes.print(f"wrote {len(files)} pictures of {name} into {one_line(str(plot))}", soft_wrap=True)
    if common.json:
        write_json(grads_document(inspection, selection))
        return
    if chosen.run:
        draw_trained(chosen.run, notes)
    draw_grads(inspection, selection, results_console())


def _require_free(path: Path, force: bool) -> None:
    require_suffix(path)
    if path.exists() and not force:
        raise ConfigError(f"{str(path)!r} exists already; --force writes over it")
