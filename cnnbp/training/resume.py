"""Going on with a run: to the bit, or not at all, unless changes are allowed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnbp.config import Config
from cnnbp.errors import CheckpointError, ConfigError, DataError
from cnnbp.training.checkpoint import Checkpoint, load_checkpoint, without_paths
from cnnbp.training.datasets import Datasets
from cnnbp.training.job import Job
from cnnbp.training.known import FolderChanges, Role
from cnnbp.training.run_directory import RunDirectory
from cnnbp.training.state import EpochSums, TrainingState

# What changes no number of a run, so that it may change at any time. train.epochs may grow.
_FREE = frozenset({"data.cache", "data.skip_bad", "train.save_every"})


@dataclass(frozen=True)
class Change:
    """A configuration's key that has another value than in the checkpoint."""

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.key}: {self.before} → {self.after}"


def newest_checkpoint(run: RunDirectory, *, trust: bool = False) -> Checkpoint:
    """Return `last`, or `best` where the process ended after writing it and before the `last` that knows of it.

    Raises CheckpointError for a damaged one, with what can be done.
    """
    last, best = _readable(run.last, trust), _readable(run.best, trust)
    if isinstance(last, CheckpointError):
        way_out = "" if isinstance(best, CheckpointError) else _from_best(run, best)
        raise CheckpointError(f"{last}{way_out}") from last
    if isinstance(best, Checkpoint):
        return max(last, best, key=lambda checkpoint: checkpoint.state.step)
    if last.state.history:
        raise CheckpointError(
            f"{best}\n  {str(run.last)!r} is whole: copied to {run.best.name}, it counts as the best so far"
        ) from best
    return last


def changed_keys(before: Config, after: Config) -> list[Change]:
    """Return the keys that differ, by name; not those that change nothing, and not where the images are."""
    old, new = options_of(before), options_of(after)
    keys = sorted((old.keys() | new.keys()) - _FREE)
    return [Change(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def options_of(config: Config) -> dict[str, Any]:
    """Return every option of a configuration by its dotted key, other than where the images are."""
    return dict(flat(without_paths(config).model_dump(mode="json")))


def refuse_changes(checkpoint: Config, wanted: Config) -> None:
    """Raise ConfigError for every changed key, other than more epochs."""
    refused = [str(change) for change in changed_keys(checkpoint, wanted) if not _more_epochs(change)]
    if refused:
        listed = "\n".join(f"  {change}" for change in refused)
        raise ConfigError(
            f"the run was trained with other options, so it cannot go on to the same numbers:\n{listed}\n"
            "--allow-changes goes on all the same"
        )


def refuse_other_images(directory: RunDirectory, checkpoint: Checkpoint, datasets: Datasets) -> None:
    """Raise DataError where training would see other images than before."""
    difference = other_images(directory, checkpoint, datasets)
    if difference:
        raise DataError(
            f"the images in {str(datasets.folder.root)!r} are not those that the run was trained on: {difference}; "
            "--allow-changes goes on all the same"
        )


def other_images(directory: RunDirectory, checkpoint: Checkpoint, datasets: Datasets) -> str:
    """Say in which way training would see other images than before; nothing where it would not."""
    if checkpoint.images == datasets.digest:
        return ""
    changes = FolderChanges.of(checkpoint.known, datasets.seen, Role.TRAIN, Role.VAL)
    return changes.described(directory.image_names()) or "copies, classes or splits are others"


def adapted_state(checkpoint: Checkpoint, job: Job) -> TrainingState:
    """Return the checkpoint's state for a job that may have changed.

    An epoch that is under way begins anew where its batches are others; an optimizer of another kind begins at 0.
    Raises ConfigError for a network with other parameters, and for another rule by which the best epoch is kept.
    """
    state, new = checkpoint.state, TrainingState.zeros(job.config)
    kept, wanted = checkpoint.config.train.keep, job.config.train.keep
    if state.history and kept != wanted:
        raise ConfigError(
            f"the run has kept its best epoch by train.keep: {kept}; the one that {wanted} would have kept is gone: "
            f"go on with train.keep={kept}"
        )
    if state.parameters.layout.shapes != new.parameters.layout.shapes:
        raise ConfigError("the network has other parameters than the run's: train a new one")
    if state.slots.keys() != new.slots.keys():
        state.slots = new.slots
    if (state.average is None) != (new.average is None):
        state.begin_average(job.config.train.ema)
    changes = {change.key.partition(".")[0] for change in changed_keys(checkpoint.config, job.config)}
    batches = {change.key for change in changed_keys(checkpoint.config, job.config)} & {"train.batch_size", "seed"}
    if batches or "data" in changes or checkpoint.images != job.datasets.digest:
        state.sums = EpochSums()
        state.step = state.epoch * job.steps_per_epoch
    return state


def _readable(path: Path, trust: bool) -> Checkpoint | CheckpointError:
    try:
        return load_checkpoint(path, trust=trust)
    except CheckpointError as error:
        return error


def _from_best(run: RunDirectory, best: Checkpoint) -> str:
    return f"\n  the best one is whole: --resume {run.best} goes on after epoch {best.state.epoch}"


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of nested mappings and lists with its dotted key."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{key}.{index}")
    else:
        yield key, value


def _more_epochs(change: Change) -> bool:
    return change.key == "train.epochs" and change.after > change.before
