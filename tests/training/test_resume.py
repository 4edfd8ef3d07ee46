"""A run that is taken up again ends in the bytes of one that was left alone, or is refused with the reason."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from cnnbp.config import load_config
from cnnbp.errors import CheckpointError, ConfigError, DataError
from cnnbp.training.checkpoint import load_checkpoint, save_checkpoint
from cnnbp.training.loading import load_datasets
from cnnbp.training.loop import EpochEvent, train
from cnnbp.training.resume import (
    adapted_state,
    changed_keys,
    newest_checkpoint,
    refuse_changes,
    refuse_other_images,
)
from cnnbp.training.run_directory import RunDirectory
from cnnbp.training.state import TrainingState
from tests.data.images import noise, save
from tests.training.jobs import LAYERS, checkpoint, config, images, working
from tests.training.kills import Kills
from tests.training.runs import fingerprint, write_job
from tests.training.runs import train as run_train


@pytest.fixture
def folder(tmp_path):
    return images(tmp_path / "images")


def saved_run(path, settings, events):
    """Write a run directory's checkpoints after so many events of a training."""
    run = RunDirectory(path)
    run.last.parent.mkdir(parents=True)
    with working(settings) as (job, state):
        for _, event in zip(range(events), train(job, state), strict=False):
            if isinstance(event, EpochEvent):
                save_checkpoint(run.best, checkpoint(job, state))
        save_checkpoint(run.last, checkpoint(job, state))
        run.write_split(job.datasets)
    return run


def test_a_run_killed_at_any_moment_ends_in_the_same_bytes(tmp_path):
    kills = Kills(tmp_path, seed=7, epochs=15)
    for number in range(2):
        assert kills.trial(number) == []
    assert kills.count > 0


def test_a_job_whose_end_moves_away_goes_on_and_a_finished_one_does_nothing(tmp_path):
    run, arguments = tmp_path / "run", (write_job(tmp_path), "train.schedule.cosine.warmup=0")
    assert run_train(*arguments, "train.epochs=2", "--run", run, cwd=tmp_path)[0] == 0
    before = fingerprint(run)
    code, out, _ = run_train("--resume", run, cwd=tmp_path)
    assert (code, fingerprint(run)) == (0, before)
    assert "is finished: all 2 epochs are done, nothing was changed" in out
    code, out, _ = run_train("--resume", run, "train.epochs=4", cwd=tmp_path)
    assert code == 0
    assert "the cosine is stretched: it ends at epoch 4 instead of 2" in out
    rates = [json.loads(line)["lr"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = 5  # 72 images in batches of 16
    expected = [
        3e-3 * (1 + np.cos(np.pi * (steps * n - 1) / steps / end)) / 2 for n, end in ((1, 2), (2, 2), (3, 4), (4, 4))
    ]
    np.testing.assert_allclose(rates, expected)
    assert load_config(run / "config.yaml").train.epochs == 4


def test_a_finished_run_as_json_is_its_summary(tmp_path):
    run = tmp_path / "run"
    run_train(write_job(tmp_path), "train.epochs=1", "--run", run, cwd=tmp_path)
    code, out, _ = run_train("--resume", run, "--json", cwd=tmp_path)
    assert (code, json.loads(out)) == (0, json.loads((run / "summary.json").read_text()))


def test_a_run_that_stopped_early_is_finished_too(tmp_path):
    run = tmp_path / "run"
    rule = "train.early_stopping={patience: 1, min_delta: 9}"
    assert run_train(write_job(tmp_path), rule, "--run", run, cwd=tmp_path)[0] == 0
    code, out, _ = run_train("--resume", run, cwd=tmp_path)
    assert code == 0
    assert "it stopped early after epoch 2" in out


def test_every_changed_key_is_named_and_refused_unless_changes_are_allowed(tmp_path):
    run = tmp_path / "run"
    assert run_train(write_job(tmp_path), "train.epochs=1", "--run", run, cwd=tmp_path)[0] == 0
    changes = ("train.epochs=2", "train.batch_size=8", "train.optimizer.sgd.lr=0.01", "data.augment=[{shift: 2}]")
    code, out, err = run_train("--resume", run, *changes, cwd=tmp_path)
    assert (code, out) == (2, "")
    for line in (
        "data.augment.0.shift.pixels: 1 → 2",
        "data.augment.1.rotate.degrees: 10.0 → None",
        "train.batch_size: 16 → 8",
        "train.optimizer.adam.lr: 0.003 → None",
        "train.optimizer.sgd.lr: None → 0.01",
        "--allow-changes goes on all the same",
    ):
        assert line in err
    assert "train.epochs" not in err
    assert run_train("--resume", run, *changes, "--allow-changes", cwd=tmp_path)[0] == 0
    assert load_checkpoint(run / "checkpoints/last.npz").config.train.batch_size == 8


def test_other_images_are_refused_with_what_is_other_about_them(tmp_path):
    run = tmp_path / "run"
    assert run_train(write_job(tmp_path), "train.epochs=1", "--run", run, cwd=tmp_path)[0] == 0
    shutil.copytree(tmp_path / "images", tmp_path / "moved")
    (tmp_path / "moved/a/0.png").unlink()
    code, _, err = run_train("--resume", run, tmp_path / "moved", "train.epochs=2", cwd=tmp_path)
    assert code == 3
    assert "1 missing ('a/0.png'); --allow" in err


def test_the_same_images_elsewhere_are_the_same_images(folder, tmp_path):
    settings = config(folder)
    run = saved_run(tmp_path / "run", settings, 3)
    elsewhere = settings.with_data(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert changed_keys(settings, elsewhere) == []
    refuse_other_images(run, load_checkpoint(run.last), load_datasets(elsewhere))


def test_changed_pixels_and_new_files_are_told(folder, tmp_path):
    settings = config(folder)
    run = saved_run(tmp_path / "run", settings, 3)
    save(folder / "a/0.png", noise(4, 4, seed=999))
    with pytest.raises(DataError, match=r"1 changed \('a/0.png'\); "):
        refuse_other_images(run, load_checkpoint(run.last), load_datasets(settings))
    save(folder / "a/new.png", noise(4, 4, seed=998))
    with pytest.raises(DataError, match=r"1 changed \('a/0.png'\), 1 new \('a/new.png'\)"):
        refuse_other_images(run, load_checkpoint(run.last), load_datasets(settings))


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_text("file,class,split\na/0.png\n"),
        lambda path: path.write_text("file,class,split\n" + "x" * 200_000 + "\n"),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), os.mkfifo(path)),
    ],
    ids=["gone", "short", "huge", "a folder", "a pipe"],
)
def test_changed_images_are_refused_in_a_sentence_whatever_became_of_the_list_of_them(folder, tmp_path, damage):
    run = saved_run(tmp_path / "run", config(folder), 3)
    damage(run.path / "split.csv")
    (folder / "a/0.png").unlink()
    with pytest.raises(DataError, match=r"are not those .*: 1 missing(; | \('a/0.png'\); )"):
        refuse_other_images(run, load_checkpoint(run.last), load_datasets(config(folder)))


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.write_text("[" * 100_000)])
def test_side_files_that_became_something_else_are_written_anew_or_named(folder, tmp_path, make):
    run = saved_run(tmp_path / "run", config(folder), 6)
    for name in ("metrics.jsonl", "summary.json"):
        (run.path / name).unlink(missing_ok=True)
        make(run.path / name)
    assert run.finished_summary(1) is None
    state = load_checkpoint(run.last).state
    if (run.path / "metrics.jsonl").is_dir():
        with pytest.raises(CheckpointError, match=r"cannot write '.*metrics\.jsonl': Is a directory"):
            run.metrics.start_from(state.history)
    else:
        run.metrics.start_from(state.history)
        assert (run.path / "metrics.jsonl").read_text().startswith('{"epoch": 1,')


def test_images_keep_their_sides_whatever_share_is_asked_for(folder, tmp_path):
    run = saved_run(tmp_path / "run", config(folder), 3)
    last, other = load_checkpoint(run.last), config(folder, data={"validation": 0})
    refuse_other_images(run, last, load_datasets(other, before=last.known))
    with pytest.raises(DataError, match="copies, classes or splits are others"):
        refuse_other_images(run, last, load_datasets(other))


def test_images_that_are_gone_are_told_also_where_no_list_names_them(folder, tmp_path):
    run = saved_run(tmp_path / "run", config(folder), 3)
    (run.path / "split.csv").unlink()
    (folder / "a/0.png").rename(folder / "a/1 again.png")
    (folder / "b/0.png").unlink()
    with pytest.raises(DataError, match=r"1 missing, 1 renamed \('a/1 again.png'\); --allow"):
        refuse_other_images(run, load_checkpoint(run.last), load_datasets(config(folder)))


def test_what_changes_no_number_may_change(folder):
    before = config(folder)
    refuse_changes(before, config(folder, epochs=3, save_every=1.0, data={"cache": 0}))
    with pytest.raises(ConfigError, match=r"train.epochs: 2 → 1"):
        refuse_changes(before, config(folder, epochs=1))
    with pytest.raises(ConfigError, match=r"seed: 0 → 1"):
        refuse_changes(before, config(folder, seed=1))


def test_an_epoch_begins_anew_where_its_batches_are_others(folder, tmp_path):
    settings = config(folder)
    run = saved_run(tmp_path / "run", settings, 6)  # one step into the second epoch
    for other, sums, step in ((settings, 1, 4), (config(folder, batch_size=2), 0, 5), (config(folder, seed=1), 0, 3)):
        with working(other) as (job, _):
            state = adapted_state(load_checkpoint(run.last), job)
        assert (state.sums.steps, state.step) == (sums, step)


def test_an_optimizer_of_another_kind_begins_at_0(folder, tmp_path):
    run = saved_run(tmp_path / "run", config(folder, optimizer="adam"), 3)
    with working(config(folder, optimizer="rmsprop")) as (job, _):
        state = adapted_state(load_checkpoint(run.last), job)
    assert list(state.slots) == ["square"]
    assert not state.slots["square"].any()


def test_another_network_cannot_go_on(folder, tmp_path):
    run = saved_run(tmp_path / "run", config(folder), 3)
    wider = (*LAYERS[:-1], {"dense": {"name": "hidden", "units": 3}}, LAYERS[-1])
    with working(config(folder, wider)) as (job, _), pytest.raises(ConfigError, match="other parameters"):
        adapted_state(load_checkpoint(run.last), job)


def test_the_best_epoch_is_kept_by_one_rule_all_the_way(folder, tmp_path):
    """Another rule would name an epoch whose parameters are gone, and the result would be another one's."""
    run = saved_run(tmp_path / "run", config(folder), 5)
    refusal = r"kept its best epoch by train\.keep: loss; .*go on with train\.keep=loss"
    with working(config(folder, keep="accuracy")) as (job, _):
        with pytest.raises(ConfigError, match=refusal):
            adapted_state(load_checkpoint(run.last), job)
        first = saved_run(tmp_path / "first", config(folder), 1)  # no epoch is over yet
        assert adapted_state(load_checkpoint(first.last), job).step == 1


def test_the_best_checkpoint_is_gone_on_from_where_the_last_one_does_not_know_it_yet(folder, tmp_path):
    """The process ended between the two writes; with a later end the numbers of that epoch would not come again."""
    settings = config(folder)
    run = saved_run(tmp_path / "run", settings, 5)
    best = load_checkpoint(run.best)
    with working(settings) as (job, _):
        save_checkpoint(run.last, checkpoint(job, TrainingState.initial(settings)))
    assert newest_checkpoint(run).state.step == best.state.step == 3


def test_a_missing_best_checkpoint_is_told_before_training_goes_on(folder, tmp_path):
    run = saved_run(tmp_path / "run", config(folder), 6)
    run.best.unlink()
    with pytest.raises(CheckpointError, match=r"copied to best\.npz, it counts as the best so far"):
        newest_checkpoint(run)
    shutil.copy(run.last, run.best)
    assert newest_checkpoint(run).state.step == 4


def test_of_two_damaged_checkpoints_the_last_one_is_named(folder, tmp_path):
    run = saved_run(tmp_path / "run", config(folder), 6)
    for path in (run.last, run.best):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError) as error:
        newest_checkpoint(run)
    assert str(run.last) in str(error.value)
    assert "--resume" not in str(error.value)


def test_what_is_no_run_is_refused(tmp_path):
    code, out, err = run_train("--resume", tmp_path, cwd=tmp_path)
    assert (code, out) == (3, "")
    assert "is no run directory: there is no config.yaml in it" in err


def test_a_run_directory_of_its_own_does_not_go_with_resume(tmp_path):
    code, _, err = run_train("--resume", tmp_path, "--run", tmp_path / "other", cwd=tmp_path)
    assert code == 2
    assert "--resume and --run do not go together" in err
