import json

from cnnbp.training.dry_run import dry_run
from cnnbp.training.loop import StepEvent, train
from tests.training.jobs import config, images, working
from tests.training.runs import train as run_train
from tests.training.runs import write_job


def test_it_is_the_first_step_of_the_training(tmp_path):
    settings = config(images(tmp_path / "images"), schedule={"cosine": {"warmup": 1}})
    with working(settings) as (job, state):
        result = dry_run(job)
        first = next(event for event in train(job, state) if isinstance(event, StepEvent))
    assert (result.loss, result.images) == (first.loss, first.images)
    assert result.lr == settings.train.optimizer.lr / 3  # 3 steps of warm-up
    assert [tensor.name for tensor in result.tensors][:2] == ["conv1.W", "conv1.b"]


def test_the_command_shows_the_step_and_writes_nothing(tmp_path):
    config_file = write_job(tmp_path)
    before = set(tmp_path.rglob("*"))
    code, out, _ = run_train(config_file, "--dry-run", cwd=tmp_path)
    assert code == 0
    assert "first step: 16 images, loss " in out
    assert "Batch gradients at step 1" in out
    document = json.loads(run_train(config_file, "--dry-run", "--json", cwd=tmp_path)[1])
    assert document["images"] == 16
    assert set(tmp_path.rglob("*")) == before


def test_trials_do_not_go_together_and_need_no_run_directory(tmp_path):
    config_file = write_job(tmp_path)
    for options in (("--dry-run", "--lr-find"), ("--overfit", "3", "--resume", tmp_path), ("--dry-run", "--run", "x")):
        code, out, err = run_train(config_file, *options, cwd=tmp_path)
        assert (code, out) == (2, "")
        assert "do not go together" in err
