"""`cnnbp evaluate`: how good a run is on images whose classes are known."""

from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, MaxPixels, Trust, verb
from cnnbp.cli.config_or_run import RunPath
from cnnbp.evaluate.images import Chosen, SplitName, images_to_evaluate
from cnnbp.evaluate.scores import evaluate as evaluated
from cnnbp.evaluate.scores import measure_images
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.document import write_json
from cnnbp.report.evaluate import draw_evaluation, evaluation_document
from cnnbp.report.notes import draw_folder, draw_notes, draw_skipped_images
from cnnbp.report.progress import progress_bar
from cnnbp.report.trained import draw_trained
from cnnbp.training.datasets import skipped_files
from cnnbp.training.measure import Measurement
from cnnbp.training.trained import Trained, load_trained


@verb
def evaluate(
    run: RunPath,
    data: Annotated[
        Path | None,
        typer.Argument(metavar="DATA", show_default=False, help="Another image folder than the run's own."),
    ] = None,
    *,
    split: Annotated[
        SplitName | None, typer.Option(show_default=False, help="By default the first of these that there is.")
    ] = None,
    worst: Annotated[int, typer.Option(min=0, metavar="N", help="Name the N images with the largest losses.")] = 10,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without images that cannot be read.")] = False,
    max_pixels: MaxPixels = None,
    trust: Trust = False,
    common: Common,
) -> None:
    """Show loss, accuracy, each class, the confusion matrix and the worst images of a run's best checkpoint."""
    trained = load_trained(run, trust=trust, max_pixels=max_pixels)
    measurement, chosen = _measured(trained, data, split, skip_bad, common)
    images = measurement.subset.images
    notes = notes_console(quiet=common.quiet)
    draw_skipped_images(images.bad, notes)
    draw_folder(chosen.folder, notes)
    draw_notes(skipped_files(chosen.folder, [images]), images.notes, notes)
    result = evaluated(measurement, trained.checkpoint.classes, worst)
    listed = trained.run.image_names() if trained.run else ()
    if common.json:
        write_json(evaluation_document(result, trained, chosen, listed))
        return
    console = results_console()
    draw_trained(trained, console)
    draw_evaluation(result, chosen, listed, console)


def _measured(
    trained: Trained, data: Path | None, split: SplitName | None, skip_bad: bool, common: Common
) -> tuple[Measurement, Chosen]:
    threads = common.cores
    with progress_bar(notes_console(quiet=common.quiet)) as bar:

        def decoding(name: str, done: int, total: int) -> None:
            bar.show(f"decoding {name}", done, total)

        def evaluating(done: int) -> None:
            bar.show(f"evaluating {chosen.subset.name}", done, len(chosen.subset))

        chosen = images_to_evaluate(trained, data, split, skip_bad=skip_bad, threads=threads, progress=decoding)
        return measure_images(trained, chosen.subset, threads=threads, progress=evaluating), chosen
