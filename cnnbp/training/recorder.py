"""Keeping a run directory up to date while training goes on."""

from collections.abc import Iterable, Iterator
from time import monotonic

from cnnbp.training.checkpoint import Checkpoint, save_checkpoint
from cnnbp.training.job import Job
from cnnbp.training.loop import EpochEvent, Event
from cnnbp.training.metrics import best_epoch
from cnnbp.training.run_directory import RunDirectory
from cnnbp.training.state import TrainingState

_BETWEEN_EPOCHS = 1.0  # seconds: short epochs share a checkpoint


class Recorder:
    """Writes metrics as epochs end, and checkpoints every `save_every` seconds.

    The files are in step whenever the process dies: metrics are written before the checkpoint that counts them, and
    `best` before the `last` that knows of it. What is newer than `last` is repeated, to the same bytes.
    """

    def __init__(self, job: Job, state: TrainingState, directory: RunDirectory, *, images: str) -> None:
        """`images` is the digest of the images that are trained on."""
        self.job, self.state, self.directory, self.images = job, state, directory, images
        self._new_best: TrainingState | None = None
        self._saved_at = monotonic()

    def watch(self, events: Iterable[Event]) -> Iterator[Event]:
        """Pass events on, each once it is recorded."""
        for event in events:
            if isinstance(event, EpochEvent):
                self._record(event)
            elif monotonic() - self._saved_at >= self.job.config.train.save_every:
                self.save()
            yield event

    def save(self) -> None:
        """Write what is new of `best` and `last`. Raises CheckpointError."""
        if self._new_best:
            save_checkpoint(self.directory.best, self._checkpoint(self._new_best))
            self._new_best = None
        save_checkpoint(self.directory.last, self._checkpoint(self.state))
        self._saved_at = monotonic()

    def _record(self, event: EpochEvent) -> None:
        self.directory.metrics.append(event)
        if event.metrics is best_epoch(self.state.history):
            self._new_best = self.state.copy()
        if monotonic() - self._saved_at >= min(_BETWEEN_EPOCHS, self.job.config.train.save_every):
            self.save()

    def _checkpoint(self, state: TrainingState) -> Checkpoint:
        return Checkpoint(self.job.config, self.job.datasets.classes, self.job.normalization, self.images, state)
