"""A trained network to be used: a checkpoint, where it lies, and what is known of the run around it."""

from dataclasses import dataclass, replace
from pathlib import Path

from cnnbp.config import Config
from cnnbp.errors import CheckpointError
from cnnbp.training.checkpoint import Checkpoint, load_checkpoint
from cnnbp.training.run_directory import RunDirectory, existing_run_directory, run_directory_around


@dataclass(frozen=True, eq=False)
class Trained:
    """A checkpoint with its state as it is evaluated, and its file; `run` is None for one outside any run directory.

    `config` is the checkpoint's own, with the image folder of the run where that is known.
    """

    checkpoint: Checkpoint
    file: Path
    run: RunDirectory | None
    config: Config

    @property
    def name(self) -> str:
        """What it may be called: the run directory's name, or the file's."""
        return self.run.path.resolve().name if self.run else self.file.stem

    @property
    def epoch(self) -> int:
        """How many epochs were over when the checkpoint was written."""
        return self.checkpoint.state.epoch

    def for_images(self, folder: Path | None) -> Config:
        """Return the configuration for another image folder, or for the run's own where None is given."""
        return self.config if folder is None else self.config.with_data(folder)


def load_trained(path: Path, *, trust: bool = False, max_pixels: int | None = None) -> Trained:
    """Read the best checkpoint of a run directory, its last one where no epoch is over yet, or the given file.

    With `trust` layers of its own, which are Python code, are run. `max_pixels` takes the place of the run's limit.
    Raises CheckpointError.
    """
    run, file = _located(path)
    checkpoint = load_checkpoint(file, trust=trust)
    checkpoint = replace(checkpoint, state=checkpoint.state.as_evaluated())
    config = _with_images_of(run, checkpoint.config) if run else checkpoint.config
    return Trained(checkpoint, file, run, config.with_max_pixels(max_pixels))


def _located(path: Path) -> tuple[RunDirectory | None, Path]:
    try:
        if not path.is_dir():
            return run_directory_around(path), path
        run = existing_run_directory(path)
        return run, run.best if run.best.exists() else run.last
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise CheckpointError(f"cannot read {str(path)!r}: {error.strerror}") from error


def _with_images_of(run: RunDirectory, config: Config) -> Config:
    """Checkpoints do not say where their images were; the run's configuration does."""
    data = run.read_config(config.code).data
    return config if data is None or data.path is None else config.with_data(data.path)
