"""`cnnbp evaluate`: how good runs are on images whose classes are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, MaxPixels, Trust, verb
from cnnbp.errors import ConfigError
from cnnbp.evaluate.images import Chosen, SplitName, images_to_evaluate
from cnnbp.evaluate.scores import evaluate as evaluated
from cnnbp.evaluate.scores import measure_images
from cnnbp.evaluate.side_by_side import Measured
from cnnbp.report.console import notes_console, results_console
from cnnbp.report.document import write_json
from cnnbp.report.evaluate import draw_evaluation, evaluation_document
from cnnbp.report.notes import draw_folder, draw_notes, draw_skipped_images
from cnnbp.report.progress import progress_bar
from cnnbp.report.side_by_side import draw_side_by_side, side_by_side_document
from cnnbp.report.trained import draw_trained
from cnnbp.training.datasets import skipped_files
from cnnbp.training.measure import Measurement
from cnnbp.training.run_directory import CHECKPOINTS
from cnnbp.training.trained import Trained, load_trained


@verb
def evaluate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN… [DATA]",
            show_default=False,
            help="Run directories or checkpoint files; then another image folder than the runs' own.",
        ),
    ],
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
    """Show loss, accuracy, each class, the confusion matrix and the worst images of a run; several as a table."""
    runs, data = _runs_and_data(paths)
    compared, documents = [], []
    for run in runs:
        trained = load_trained(run, trust=trust, max_pixels=max_pixels)
        measurement, chosen = _measured(trained, data, split, skip_bad, common)
        _tell(chosen, common)
        result = evaluated(measurement, trained.checkpoint.classes, worst)
        listed = trained.run.image_names() if trained.run else ()
        documents.append(evaluation_document(result, trained, chosen, listed) if common.json else {})
        subset = chosen.subset
        right = measurement.predictions == subset.labels
        images = tuple((chosen.folder.root / name).resolve() for name in subset.names) if len(runs) > 1 else ()
        compared.append(Measured(str(run), subset.name, images, right, result))
        if len(runs) == 1 and not common.json:
            draw_trained(trained, results_console())
            draw_evaluation(result, chosen, listed, results_console())
    if common.json:
        write_json(side_by_side_document(compared, documents) if len(runs) > 1 else documents[0])
    elif len(runs) > 1:
        draw_side_by_side(compared, results_console())


def _runs_and_data(paths: Sequence[Path]) -> tuple[list[Path], Path | None]:
    """Tell runs from the image folder; the first path is a run whatever it looks like."""
    first, *rest = paths
    runs = [path for path in rest if path.suffix == ".npz" or (path / CHECKPOINTS).is_dir()]
    others = [path for path in rest if path not in runs]
    if len(others) > 1 or others != rest[len(runs) :]:
        given = ", ".join(repr(str(path)) for path in others)
        raise ConfigError(f"runs come first, then one image folder at most; no runs are {given}")
    return [first, *runs], others[0] if others else None


def _tell(chosen: Chosen, common: Common) -> None:
    images, notes = chosen.subset.images, notes_console(quiet=common.quiet)
    draw_skipped_images(images.bad, notes)
    draw_folder(chosen.folder, notes)
    draw_notes(skipped_files(chosen.folder, [images]), images.notes, notes)


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
