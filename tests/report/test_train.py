import io

from rich.console import Console

from cnnbp.report.train import draw_job_notes, draw_result, draw_summary
from cnnbp.training.loop import train
from cnnbp.training.summary import summarize
from tests.data.images import noise, save
from tests.report.paper import printed
from tests.training.jobs import config, images, working


def notes(job_config):
    screen = io.StringIO()
    with working(job_config) as (job, _):
        draw_job_notes(job, Console(file=screen, width=40))
    return screen.getvalue().splitlines()


def test_copies_of_training_images_are_named_up_to_ten_and_it_is_said_where_all_are(tmp_path):
    images(tmp_path / "train", (12, 2))
    for number in range(12):
        save(tmp_path / "test" / "b" / f"{number:02}.png", noise(4, 4, seed=number))
    title, *pairs, rest = notes(config(tmp_path, data={"validation": 0.0}))
    assert title == "warning: 12 images of val and test are left out, because the same pixels train:"
    assert len(pairs) == 10
    assert pairs[0] == "  'test/b/00.png' is 'train/a/0.png'"
    assert rest == f"  and 2 more; cnnbp data {tmp_path} names all"


def test_a_batch_that_takes_the_one_image_left_over_is_told_once(tmp_path):
    job = config(images(tmp_path, (5, 4)), data={"validation": 0})
    assert notes(job) == ["the last batch of an epoch has 5 images: the one left over is joined to it"]


def test_images_of_two_classes_with_the_same_pixels_are_named(tmp_path):
    images(tmp_path)
    save(tmp_path / "b/twin.png", noise(4, 4, seed=3))
    assert notes(config(tmp_path)) == [
        "warning: 1 images are the same to the network as one of another class:",
        "  'a/3.png' is 'b/twin.png'",
    ]


def test_a_run_without_an_epoch_has_no_best_one(tmp_path):
    with working(config(images(tmp_path))) as (job, state):
        summary = summarize(job, state, "interrupted", run="run", seconds=1, evaluated=None, concerns=())
    first, *_ = printed(draw_summary, summary)
    assert first == "1.0 s of training; files in run"


def test_a_run_that_nothing_was_held_out_of_is_shown_without_a_confusion_matrix(tmp_path):
    with working(config(images(tmp_path), data={"validation": 0})) as (job, state):
        for _ in train(job, state):
            pass
        summary = summarize(job, state, "finished", run="run", seconds=1, evaluated=None, concerns=())
        lines = printed(draw_result, job, state, summary, None, {})
    assert any(line.startswith("best epoch") and "training loss" in line for line in lines)
    assert not any("predicted" in line for line in lines)
