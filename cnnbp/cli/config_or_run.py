"""What several verbs take: a configuration, whose network is untrained, or a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cnnbp.cli.common import Common, load_job, split_arguments
from cnnbp.config import Config
from cnnbp.errors import ConfigError
from cnnbp.inspect.images import Images, has_folder
from cnnbp.parameters import Parameters, Tensors
from cnnbp.report.console import notes_console
from cnnbp.report.notes import draw_skipped_images
from cnnbp.training.checkpoint import Checkpoint
from cnnbp.training.trained import Trained, load_trained

ConfigOrRunPath = Annotated[
    Path,
    typer.Argument(metavar="CONFIG|RUN", show_default=False, help="The YAML file; or a run directory or checkpoint."),
]
RunPath = Annotated[
    Path, typer.Argument(metavar="RUN", show_default=False, help="A run directory, or a checkpoint file.")
]


@dataclass(frozen=True)
class ConfigOrRun:
    """A configuration, and the run that it is of; None where there is none."""

    config: Config
    run: Trained | None

    @property
    def parameters(self) -> Parameters:
        """The run's parameters, or those that training would start with."""
        config = self.config
        return self.trained.state.parameters if self.trained else config.network.initial_parameters(config.seed)

    @property
    def running_statistics(self) -> Tensors:
        """The run's running statistics, or those that training would start with."""
        return self.trained.state.running_statistics if self.trained else self.config.network.initial_state()

    @property
    def trained(self) -> Checkpoint | None:
        """The run's checkpoint."""
        return self.run.checkpoint if self.run else None


def load_config_or_run(
    path: Path, arguments: Sequence[str] | None, common: Common, *, trust: bool = False
) -> ConfigOrRun:
    """Read a configuration with its overrides and DATA, or a run with DATA; `trust` is for what a run has imported.

    Raises ConfigError, also for overrides of a run; CheckpointError.
    """
    if not path.is_dir() and path.suffix != ".npz":
        return ConfigOrRun(load_job(path, arguments, common), None)
    data, overrides = split_arguments(arguments)
    if overrides:
        raise ConfigError(f"a run keeps its configuration: {overrides[0]!r} cannot change it")
    return load_run(path, data, common, trust=trust)


def load_run(path: Path, data: Path | None, common: Common, *, trust: bool = False) -> ConfigOrRun:
    """Read a run's best checkpoint, or the given one, and its configuration; DATA takes the place of its images."""
    trained = load_trained(path, trust=trust)
    config = trained.for_images(data)
    if common.seed is not None:
        config = config.model_copy(update={"seed": common.seed})
    return ConfigOrRun(config, trained)


def tell_about(images: Images, config: Config, common: Common) -> None:
    """Say which images a verb leaves out, or that it looks at random numbers for want of images."""
    notes = notes_console(quiet=common.quiet)
    draw_skipped_images(images.bad, notes)
    if not has_folder(config):
        notes.print(f"no image folder given: the batch is random numbers, seed {config.seed}")
