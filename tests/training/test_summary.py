from cnnbp.training.concerns import Concern
from cnnbp.training.loop import train
from cnnbp.training.summary import Evaluation, summarize
from tests.training.jobs import config, images, working


def test_it_tells_what_a_run_came_to(tmp_path):
    with working(config(images(tmp_path / "images"), epochs=3)) as (job, state):
        for _ in train(job, state):
            pass
        measured = job.measure(state, job.datasets.validation, lambda done: None)
        concern = Concern("dead ReLU", "relu1", 1, "all")
        summary = summarize(job, state, "finished", run="runs/a", seconds=1.5, evaluated=measured, concerns=[concern])
    assert (summary.run, summary.status, summary.seconds) == ("runs/a", "finished", 1.5)
    assert (summary.classes, summary.images) == (("a", "b"), {"train": 10, "val": 2})
    assert (summary.epochs, summary.steps, summary.parameters) == (3, 9, 2 * 9 + 2 + 2 + 2 + 2 * 8 + 2)
    assert summary.last == state.history[-1]
    assert summary.best == min(state.history, key=lambda metrics: metrics.val_loss)
    assert summary.evaluation == Evaluation("val", 2, measured.loss, measured.accuracy)
    assert summary.concerns == (concern,)


def test_before_the_first_epoch_is_over_there_is_nothing_to_tell(tmp_path):
    with working(config(images(tmp_path / "images"))) as (job, state):
        summary = summarize(job, state, "interrupted", run="a", seconds=0.0, evaluated=None, concerns=[])
    assert (summary.epochs, summary.last, summary.best, summary.evaluation) == (0, None, None, None)
