"""The end of a run: what came of it, measured, written and shown."""

from cnnbp.cli.train_parts import Screen, TrainOptions
from cnnbp.report.document import write_json
from cnnbp.report.pictures import save_pictures
from cnnbp.report.progress import progress_bar
from cnnbp.report.train import draw_result, draw_summary
from cnnbp.training.checkpoint import load_checkpoint, share_checkpoint
from cnnbp.training.concerns import Concern
from cnnbp.training.job import Job
from cnnbp.training.measure import Measurement
from cnnbp.training.recorder import Follower, Recorder
from cnnbp.training.state import TrainingState
from cnnbp.training.summary import Status, Summary, summarize


def finish(recorder: Recorder, seconds: float, concerns: list[Concern], options: TrainOptions, screen: Screen) -> None:
    """Measure the best checkpoint, and write and show what came of the run."""
    job, state, directory = recorder.job, recorder.state, recorder.directory
    best = share_checkpoint(load_checkpoint(directory.best), job.engine.ranks).state
    evaluated = _evaluate(job, best, screen)
    early = state.epoch < job.config.train.epochs
    summary = _summary(recorder, "stopped early" if early else "finished", seconds, concerns, evaluated)
    directory.write_confusion(evaluated.confusion(len(summary.classes)), summary.classes)
    if options.plots:
        save_pictures(state.history, best.parameters, job, evaluated, directory.path)
    directory.write_summary(summary)
    if options.common.json:
        write_json(summary)
    draw_result(job, state, summary, evaluated, screen.results)


def follow_to_the_end(follower: Follower, screen: Screen) -> None:
    """Take part in what rank 0 does at the end."""
    job = follower.job
    _evaluate(job, share_checkpoint(None, job.engine.ranks).state, screen)


def stop(recorder: Recorder, seconds: float, concerns: list[Concern], options: TrainOptions, screen: Screen) -> None:
    """Write and show how far the run came."""
    summary = _summary(recorder, "interrupted", seconds, concerns, None)
    recorder.directory.write_summary(summary)
    if options.common.json:
        write_json(summary)
    draw_summary(summary, screen.results)


def _summary(
    recorder: Recorder, status: Status, seconds: float, concerns: list[Concern], evaluated: Measurement | None
) -> Summary:
    run = str(recorder.directory.path)
    return summarize(
        recorder.job, recorder.state, status, run=run, seconds=seconds, evaluated=evaluated, concerns=concerns
    )


def _evaluate(job: Job, best: TrainingState, screen: Screen) -> Measurement:
    """Run the test images through the network; without any, those that validated, and at last those that trained."""
    subset = next(part for part in (job.datasets.test, job.datasets.validation, job.datasets.train) if part)
    with progress_bar(screen.notes) as bar:
        return job.measure(best, subset, lambda done: bar.show(f"evaluating {subset.name}", done, len(subset)))
