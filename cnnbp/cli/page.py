"""`cnnbp page`: the chain rule of one batch as a page to click through."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.batch import ImagesAndOverrides, ImageSeed, Labels, Wanted, Weights, read_batch
from cnnbp.cli.common import Common, Trust, verb
from cnnbp.cli.config_or_run import ConfigOrRunPath
from cnnbp.errors import ConfigError
from cnnbp.inspect.examine import Inspection, inspect_batch
from cnnbp.page.bug import Planted, plant_in, plant_random
from cnnbp.page.document import Page, page_document
from cnnbp.page.render import is_page, save_page
from cnnbp.report.console import notes_console
from cnnbp.report.page import draw_page
from cnnbp.report.trained import draw_trained

_IMAGES = 4
_RANDOM = "random"
_MOST_SHARES = 100_000  # numbers of the stack of a parameter's gradients, image by image


@verb
def page(
    subject: ConfigOrRunPath,
    arguments: ImagesAndOverrides = None,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.html", help="Where to write it.")] = Path(
        "page.html"
    ),
    batch: Annotated[
        int | None, typer.Option(min=1, metavar="M", help="How many images are drawn.  [default: 4]")
    ] = None,
    labels: Labels = None,
    weights: Weights = None,
    image_seed: ImageSeed = None,
    quiz: Annotated[bool, typer.Option("--quiz", help="Hide some numbers, which the reader fills in.")] = False,
    bug: Annotated[
        str | None,
        typer.Option("--break", metavar="LAYER:BUG", help="Plant a bug in one layer's backward; random draws one."),
    ] = None,
    hide: Annotated[bool, typer.Option("--hide", help="With --break: let the reader find it.")] = False,
    trust: Trust = False,
    common: Common,
) -> None:
    """Write one batch's chain rule as a page: one HTML file, to be opened in a browser."""
    if hide and not bug:
        raise ConfigError("--hide is about a planted bug: add --break LAYER:BUG, or --break random")
    if output.exists() and not (output.is_file() and is_page(output)):
        raise ConfigError(f"{str(output)!r} is there, and is no page of cnnbp: choose another name with -o")
    wanted = Wanted(labels, weights, image_seed, batch, usual=_IMAGES, trust=trust)
    chosen = read_batch(subject, arguments, wanted, common)
    seed, optimizer = chosen.config.seed, chosen.config.train.optimizer
    inspection = inspect_batch(chosen.model, chosen.images, optimizer, seed=seed, most_shares=_MOST_SHARES)
    planted = _planted(inspection, bug, hide, seed) if bug else None
    document = page_document(Page(subject.name, inspection, planted, quiz, seed))
    size = save_page(document, output)
    notes = notes_console(quiet=common.quiet)
    if chosen.run:
        draw_trained(chosen.run, notes)
    draw_page(output, size, document["leftOut"], notes)


def _planted(inspection: Inspection, bug: str, hide: bool, seed: int) -> Planted:
    return plant_random(inspection, seed, hidden=hide) if bug == _RANDOM else plant_in(inspection, bug, hidden=hide)
