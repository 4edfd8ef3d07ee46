"""What `grads` and `page` look at: a batch and a model, from a configuration, a run or a saved batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cnnbp.cli.common import Common
from cnnbp.cli.config_or_run import ConfigOrRun, load_config_or_run, tell_about
from cnnbp.config import Config, parse_config, require_own_layers_to_work
from cnnbp.config.numbers import load_numbers
from cnnbp.errors import ConfigError
from cnnbp.inspect.examine import is_small
from cnnbp.inspect.given import UNKNOWN, given_images, label_indices
from cnnbp.inspect.images import Images, batch_images
from cnnbp.inspect.record import Model
from cnnbp.inspect.weights import with_weights
from cnnbp.porting.files import is_reference, load_reference, load_tensors
from cnnbp.porting.layouts import batch_last
from cnnbp.porting.reference import Reference
from cnnbp.report.console import notes_console, one_line
from cnnbp.tape import infer
from cnnbp.training.trained import Trained

_PANEL = "What to look at"
_READABLE = 4  # images whose numbers can be read one by one
_YAML = (".yaml", ".yml")

ImagesAndOverrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DATA|IMAGE…] [KEY=VALUE]…",
        show_default=False,
        help="The image folder, or image files; options to change, as train.epochs=3.",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(metavar="CLASS,…", help="The images' classes, one for each or one for all.", rich_help_panel=_PANEL),
]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Take W, b, … from this .npz, .safetensors or .yaml.", rich_help_panel=_PANEL),
]
ImageSeed = Annotated[
    int | None,
    typer.Option(min=0, help="Draw the images by this seed, not by the weights'.", rich_help_panel=_PANEL),
]


@dataclass(frozen=True)
class Wanted:
    """The options of a batch: see `Labels`, `Weights` and `ImageSeed`; `count` is M where images are drawn.

    Without it M is `usual`, else what can be read for a tiny network and the configuration's batch_size for others.
    `trust` is for the layers that a run has imported; `max_pixels` takes the place of the configuration's.
    """

    labels: str | None = None
    weights: Path | None = None
    image_seed: int | None = None
    count: int | None = None
    usual: int | None = None
    trust: bool = False
    max_pixels: int | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Images, the model that looks at them, its configuration, and the run that it is of; None where there is none."""

    config: Config
    images: Images
    model: Model
    run: Trained | None


def read_batch(subject: Path, arguments: Sequence[str] | None, wanted: Wanted, common: Common) -> Batch:
    """Read what a verb's arguments name, and say what a reader should know of it.

    Raises ConfigError, DataError, CheckpointError.
    """
    if subject.is_file() and is_reference(subject):
        batch = _saved(subject, arguments, wanted)
    else:
        batch = _chosen(subject, arguments, wanted, common)
    if wanted.weights:
        batch = _with_weights(batch, wanted.weights, common)
    return _with_labels(batch, common)


def _chosen(subject: Path, arguments: Sequence[str] | None, wanted: Wanted, common: Common) -> Batch:
    files = [Path(argument) for argument in arguments or () if _is_file(argument)]
    rest = [argument for argument in arguments or () if not _is_file(argument)]
    chosen = load_config_or_run(subject, rest, common, trust=wanted.trust)
    chosen = replace(chosen, config=chosen.config.with_max_pixels(wanted.max_pixels))
    require_own_layers_to_work(chosen.config)
    images = _images(chosen, files, wanted, common)
    loss = chosen.trained.loss if chosen.trained and files else chosen.config.loss.balanced(images.class_counts)
    model = Model(chosen.config.network, loss, chosen.parameters, chosen.running_statistics)
    return Batch(chosen.config, images, model, chosen.run)


def _is_file(argument: str) -> bool:
    """Whether an argument names an image file, be it there or not, and neither a folder nor an option."""
    path = Path(argument)
    return path.is_file() or (bool(path.suffix) and "=" not in argument and not path.is_dir())


def _images(chosen: ConfigOrRun, files: Sequence[Path], wanted: Wanted, common: Common) -> Images:
    config, trained = chosen.config, chosen.trained
    if files:
        if wanted.count or wanted.image_seed is not None:
            raise ConfigError("the images are named: --batch and --image-seed are about images that are drawn")
        return given_images(config, files, _words(wanted.labels), trained=trained, threads=common.cores)
    usual = wanted.usual or (_READABLE if is_small(config.network) else config.train.batch_size)
    count = wanted.count or usual
    images = batch_images(config, count, seed=wanted.image_seed, trained=trained, threads=common.cores)
    tell_about(images, config, common)
    if wanted.labels is None:
        return images
    return replace(images, labels=label_indices(_words(wanted.labels), len(images.names), images.classes))


def _words(text: str | None) -> list[str]:
    return text.split(",") if text is not None else []


def _saved(path: Path, arguments: Sequence[str] | None, wanted: Wanted) -> Batch:
    """Read a batch that `grads --save` wrote: its images, network, loss and parameters."""
    if arguments or wanted.count or wanted.image_seed is not None:
        raise ConfigError(f"{str(path)!r} is a saved batch, with images and options of its own: give nothing with it")
    reference = load_reference(path)
    description = reference.description
    config = parse_config(description.config, str(path))
    loss = type(config.loss).model_validate(description.loss.options)
    params = config.network.layout.zeros(np.float64)
    for name, theta in params.named():
        theta[...] = _array(reference, f"param/{name}")
    labels = reference.arrays["y"]
    if wanted.labels is not None:
        labels = label_indices(_words(wanted.labels), len(labels), description.classes)
    counts = [1] * len(description.classes)
    images = Images(_array(reference, "X"), labels, description.images, description.classes, counts, str(path))
    return Batch(config, images, Model(config.network, loss, params, config.network.initial_state()), None)


def _array(reference: Reference, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return batch_last(reference.arrays[name], reference.description.tensors[name].axes)


def _with_weights(batch: Batch, path: Path, common: Common) -> Batch:
    arrays = load_numbers(path) if path.suffix in _YAML else load_tensors(path)
    params, drawn = with_weights(batch.model.params, arrays, str(path))
    if drawn:
        notes = notes_console(quiet=common.quiet)
        notes.print(f"{one_line(str(path))} has no {', '.join(drawn)}: as before", soft_wrap=True)
    return replace(batch, model=replace(batch.model, params=params))


def _with_labels(batch: Batch, common: Common) -> Batch:
    """Give each image whose class nothing tells the one that the network takes it for."""
    model, images = batch.model, batch.images
    unknown = images.labels == UNKNOWN
    if not unknown.any():
        return batch
    logits = infer(model.network, model.params.astype(np.float64), model.state, images.x)
    labels = np.where(unknown, model.loss.predictions(logits), images.labels)
    notes = notes_console(quiet=common.quiet)
    what = "the image's class is" if len(labels) == 1 else f"the classes of {unknown.sum()} images are"
    notes.print(f"{what} not known: taken for what the network takes it for; --labels tells", soft_wrap=True)
    return replace(batch, images=replace(images, labels=labels))
