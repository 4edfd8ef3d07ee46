"""A trained network in Python: to predict, to evaluate, to differentiate, to export."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from threading import current_thread, main_thread

import numpy as np
from numpy.typing import ArrayLike

from cnnbp.api import given
from cnnbp.api.backpropagation import Backpropagation, backpropagated
from cnnbp.api.datasets import image_set
from cnnbp.api.given import Layout
from cnnbp.api.predictions import PILLOW, Pixels, Predictions, decoded, predicted
from cnnbp.config import Config
from cnnbp.data.store import BadImage, describe_bad_images
from cnnbp.engine import available_cores
from cnnbp.errors import ConfigError, DataError
from cnnbp.evaluate.images import SplitName, images_to_evaluate
from cnnbp.evaluate.predictions import find_images
from cnnbp.evaluate.scores import Evaluation, evaluate, measure_images
from cnnbp.export import Export, Format, export_checkpoint
from cnnbp.inspect.images import Images
from cnnbp.inspect.record import Model
from cnnbp.parameters import Parameters
from cnnbp.training.checkpoint import Checkpoint, load_checkpoint
from cnnbp.training.datasets import Subset
from cnnbp.training.loading import image_format
from cnnbp.training.state import EpochMetrics
from cnnbp.training.trained import Trained, load_trained

Paths = str | Path | Sequence[str | Path]


class Run:
    """A trained network: a run directory's checkpoint, or what training has just come to.

    Its methods may be called from several threads at once. Images are files, or arrays: uint8 for pixels from 0 to
    255, floats for pixels from 0 to 1. They are normalised as in training. `layout` says how the arrays lie.
    """

    def __init__(self, trained: Trained) -> None:
        """`cnnbp.load` makes one of a run directory."""
        self._trained = trained
        vector = self.checkpoint.state.parameters.vector.view()
        vector.flags.writeable = False  # several threads may be reading it
        self.parameters = Parameters(self.config.network.layout, vector)  #: what was learned; `copy()` may be written

    @property
    def checkpoint(self) -> Checkpoint:
        """The training state, and all that is needed to use it."""
        return self._trained.checkpoint

    @property
    def config(self) -> Config:
        """What it was trained with; the image folder is the run's."""
        return self._trained.config

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the outputs."""
        return self.checkpoint.classes

    @property
    def epoch(self) -> int:
        """After how many epochs it was written."""
        return self.checkpoint.state.epoch

    @cached_property
    def history(self) -> tuple[EpochMetrics, ...]:
        """The metrics of the run's epochs, also of those after this checkpoint."""
        run, history = self._trained.run, self.checkpoint.state.history
        if run and run.last.exists() and run.last.resolve() != self._trained.file.resolve():
            history = load_checkpoint(run.last, trust=True).state.history  # its code is this checkpoint's
        return tuple(history)

    @property
    def model(self) -> Model:
        """The network with its loss, parameters and running statistics."""
        state = self.checkpoint.state
        return Model(self.config.network, self.checkpoint.loss, self.parameters, state.running_statistics)

    def __repr__(self) -> str:
        losses = self.checkpoint.state.history
        score = f", loss {losses[-1].monitored_loss:.4g}" if losses else ""
        return f"<Run {self._trained.name!r}, epoch {self.epoch}{score}; classes {', '.join(self.classes[:10])}>"

    def _repr_html_(self) -> str:
        from cnnbp.report.notebook import run_html  # only a notebook needs it

        return run_html(self._trained, self.history, self.parameters)

    def predict(
        self, images: Paths | ArrayLike, *, top: int = 1, layout: Layout = "chwm", skip_bad: bool = False
    ) -> Predictions:
        """Tell what images are: arrays, or files and folders; with the `top` most probable classes of each.

        Raises ShapeError and DataError for arrays that do not fit, DataError for files that cannot be read;
        with `skip_bad` these are left out.
        """
        top = min(given.number(top, "top"), len(self.classes))
        bad: list[BadImage] = []
        if isinstance(images, str | Path) or _are_paths(images):
            found = find_images(map(Path, [images] if isinstance(images, str | Path) else images))  # type: ignore[arg-type]
            bad += found.bad
            parts: Iterable[Pixels] = decoded(found.files, image_format(self.config), self.config.train.batch_size, bad)
        else:
            x = given.images(images, self.config.network.input_shape, layout, "images")  # type: ignore[arg-type]
            parts = [Pixels.of_arrays(x)]
        result = predicted(self.checkpoint, parts, top, bad)
        if bad and not skip_bad:
            raise DataError(describe_bad_images(bad, len(bad) + len(result)))
        return result

    def evaluate(
        self,
        images: str | Path | tuple[ArrayLike, ArrayLike] | None = None,
        *,
        split: str | None = None,
        worst: int = 10,
        layout: Layout = "chwm",
        skip_bad: bool = False,
        threads: int | None = None,
    ) -> Evaluation:
        """Measure it on a folder, by default the run's own, or on arrays (x, y), as `cnnbp evaluate` does.

        `split` is test, val, train or new; by default the first that there is. Outside of the main thread one core is
        used. Raises ConfigError for a split that is not there, DataError for images that cannot be used.
        """
        given.number(worst, "worst", 0)
        with PILLOW:
            threads = threads or (available_cores() if current_thread() is main_thread() else 1)
            if isinstance(images, tuple):
                subset = self._subset(*images, layout)
            else:
                folder, wanted = None if images is None else Path(images), None if split is None else _split(split)
                chosen = images_to_evaluate(self._trained, folder, wanted, skip_bad=skip_bad, threads=threads)
                subset = chosen.subset
            measurement = measure_images(self._trained, subset, threads=threads, progress=lambda done: None)
        return evaluate(measurement, self.classes, worst)

    def backpropagate(self, x: ArrayLike, y: ArrayLike, *, layout: Layout = "chwm") -> Backpropagation:
        """Run images x of the classes y (M,) forward and backward, in float64 and with dropout off.

        Raises ShapeError and DataError for arrays that do not fit.
        """
        batch = self.batch(x, y, layout)
        return backpropagated(self.model, batch.x, batch.labels)

    def export(self, to: str, file: str | Path | None = None, *, overwrite: bool = False) -> Export:
        """Write the weights as `onnx`, `safetensors` or `npz`; by default to the run's name, in this folder.

        Raises ConfigError for a file that is there already, unless `overwrite`, and for a missing package.
        """
        if to not in [*Format]:
            raise ConfigError(f"to is {to!r}; it can be {', '.join(Format)}")
        path = Path(file) if file else Path(f"{self._trained.name}.{to}")
        if path.exists() and not overwrite:
            raise ConfigError(f"{str(path)!r} exists already: overwrite=True writes over it")
        return export_checkpoint(self.checkpoint, Format(to), path, overwrite=overwrite)

    def batch(self, x: ArrayLike, y: ArrayLike, layout: Layout = "chwm") -> Images:
        """Return images of the classes y (M,) as the network reads them: normalised, float64, (C, H, W, M).

        Raises ShapeError and DataError for arrays that do not fit.
        """
        subset = self._subset(x, y, layout)
        pixels = self.checkpoint.normalization.apply(subset.images.pixels, np.float64)
        counts = np.bincount(subset.labels, minlength=len(self.classes)).tolist()
        return Images(pixels, subset.labels, subset.names, self.classes, counts, "arrays")

    def _subset(self, x: ArrayLike, y: ArrayLike, layout: Layout) -> Subset:
        pixels = given.images(x, self.config.network.input_shape, layout)
        labels = given.labels(y, pixels.shape[-1], len(self.classes))
        images = image_set(pixels, labels, "x")
        return Subset("given", images, np.arange(len(images)))


def load(path: str | Path, *, trust: bool = False) -> Run:
    """Read a run directory's best checkpoint, its last where no epoch is over yet, or the given checkpoint file.

    With `trust` layers of its own, which are Python code, are run. Raises CheckpointError for what is no checkpoint or
    is damaged, and for one with such layers without `trust`.
    """
    return Run(load_trained(Path(path), trust=trust))


def _are_paths(images: object) -> bool:
    """Tell a list of paths from a list of numbers."""
    return isinstance(images, Sequence) and bool(images) and all(isinstance(image, str | Path) for image in images)


def _split(name: str) -> SplitName:
    if name not in [*SplitName]:
        raise ConfigError(f"split is {name!r}; it can be {', '.join(SplitName)}")
    return SplitName(name)
