"""The end of a run, whoever has trained it: measured, summed up and written down."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from cnnbp.errors import CheckpointError, Diverged
from cnnbp.training.concerns import Concern
from cnnbp.training.divergence import TrainingDiverged
from cnnbp.training.job import Job
from cnnbp.training.loop import is_over
from cnnbp.training.measure import Measurement
from cnnbp.training.recorder import Follower, Recorder
from cnnbp.training.state import TrainingState
from cnnbp.training.summary import Status, Summary, summarize

_DIVERGED = "diverged.json"


@contextmanager
def divergence_written(recorder: Recorder | Follower) -> Iterator[None]:
    """Write down where training diverged, and name the last good checkpoint. Raises Diverged."""
    try:
        yield
    except TrainingDiverged as error:
        if isinstance(recorder, Follower):
            raise
        directory = recorder.directory
        try:
            directory.write_json(_DIVERGED, asdict(error.divergence))
            files = f"all files of the batch: {directory.path / _DIVERGED}"
        except CheckpointError as failure:  # a full disk must not hide what is worse
            files = str(failure)
        raise Diverged(f"{error}\n  {files}\n  last good checkpoint: {directory.last}") from error


def evaluated(job: Job, best: TrainingState, progress: Callable[[str, int, int], None]) -> Measurement:
    """Run the test images through the network; without any, those that validated, and at last those that trained."""
    datasets = job.datasets
    subset = next(part for part in (datasets.test, datasets.validation, datasets.train) if part)
    return job.measure(best, subset, lambda done: progress(f"evaluating {subset.name}", done, len(subset)))


def summary_of(
    recorder: Recorder, seconds: float, concerns: Iterable[Concern], measurement: Measurement | None
) -> Summary:
    """Sum a run up; `measurement` is of its best checkpoint, None where it is not over."""
    job, state = recorder.job, recorder.state
    status: Status = "stopped early" if state.epoch < job.config.train.epochs else "finished"
    if not is_over(job.config.train, state.history):
        status = "interrupted"
    run = str(recorder.directory.path)
    return summarize(
        job, state, status, run=run, seconds=seconds, evaluated=measurement, concerns=concerns, check=recorder.check
    )


def write_end(recorder: Recorder, summary: Summary, measurement: Measurement | None) -> None:
    """Write confusion.csv, where there is something to write, and summary.json. Raises CheckpointError."""
    if measurement:
        recorder.directory.write_confusion(measurement.confusion(len(summary.classes)), summary.classes)
    recorder.directory.write_summary(summary)
