"""Run directories as they lie on the disk, whatever has become of their files."""

import json
import os
from dataclasses import asdict

import pytest

from cnnbp.experiments.records import find_runs, read_record
from cnnbp.training.run_directory import RunDirectory
from cnnbp.training.state import EpochMetrics
from tests.training.jobs import config

EPOCH = asdict(EpochMetrics(1, 0.9, 0.5, 0.8, 0.6, 0.1, 1.0, 0.01))


@pytest.fixture
def folder(tmp_path):
    """A run directory of one epoch."""
    run = tmp_path / "runs" / "job"
    (run / "checkpoints").mkdir(parents=True)
    RunDirectory(run).write_config(config(tmp_path))
    (run / "metrics.jsonl").write_text(json.dumps(EPOCH) + "\n")
    return run


def test_a_run_is_found_and_has_the_epochs_that_it_wrote(folder):
    assert find_runs(folder.parent) == [folder]
    record = read_record(folder)
    assert (record.status, record.score, len(record.history)) == ("unfinished", 0.6, 1)


@pytest.mark.parametrize("name", ["val_accuracy", "train_loss"])
@pytest.mark.parametrize("value", ["x", [1], {"a": 1}, 10**400])
def test_an_epoch_with_something_else_in_the_place_of_a_number_is_none(folder, name, value):
    (folder / "metrics.jsonl").write_text(json.dumps({**EPOCH, name: value}) + "\n")
    record = read_record(folder)
    assert record.history == ()


@pytest.mark.parametrize("evaluation", [5, {"split": "val"}, {"split": "val", "images": "x", "loss": 1, "accuracy": 1}])
def test_a_summary_that_says_something_else_is_none(folder, evaluation):
    (folder / "summary.json").write_text(json.dumps({"status": "finished", "evaluation": evaluation}))
    record = read_record(folder)
    assert (record.status, record.evaluation) == ("unfinished", None)


def test_a_pipe_is_waited_for_in_the_place_of_no_file(folder):
    for name in ("summary.json", "metrics.jsonl"):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
    assert read_record(folder).history == ()
    (folder / "config.yaml").unlink()
    os.mkfifo(folder / "config.yaml")
    assert find_runs(folder.parent) == []
