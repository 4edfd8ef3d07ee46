"""What a run leaves behind: every file, what is in it, and what a failing disk does to it."""

import csv
import json
import os
from contextlib import suppress

import numpy as np
import pytest

from cnnbp.config import load_config
from cnnbp.errors import CheckpointError
from cnnbp.training.checkpoint import load_checkpoint
from cnnbp.training.metrics_log import COLUMNS
from cnnbp.training.run_directory import RunDirectory, existing_run_directory
from tests.cli.command import cnnbp
from tests.training.disks import full_disk, read_only_disk
from tests.training.runs import fingerprint, train, write_job

FILES = {
    "config.yaml",
    "metrics.csv",
    "metrics.jsonl",
    "summary.json",
    "split.csv",
    "confusion.csv",
    "environment.json",
    "checkpoints/last.npz",
    "checkpoints/best.npz",
}
PICTURES = {"curves.png", "confusion.png", "filters.png", "misclassified.png"}


def files_of(run):
    return {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run, and the folder that its command ran in."""
    folder = tmp_path_factory.mktemp("job")
    code, _, err = cnnbp("train", write_job(folder), "train.epochs=3", "--run", folder / "run", cwd=folder)
    assert code == 0, err
    return folder / "run", folder


def test_a_finished_run_has_all_its_files_and_no_half_one(finished):
    run, _ = finished
    assert files_of(run) - {"misclassified.png"} == FILES | PICTURES - {"misclassified.png"}


def test_its_pictures_are_png(finished):
    run, _ = finished
    for name in PICTURES & files_of(run):
        assert (run / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_its_config_runs_the_job_again(finished, tmp_path):
    run, _ = finished
    code, _, err = train(run / "config.yaml", "--run", tmp_path / "again", cwd=tmp_path)
    assert code == 0, err
    first, again = fingerprint(run), fingerprint(tmp_path / "again")
    assert {name: first[name] for name in again} == again
    assert load_config(run / "config.yaml").train.epochs == 3


def test_its_metrics_say_the_same_twice(finished):
    run, _ = finished
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [[float(value) for value in row.values()] for row in rows] == [list(line.values()) for line in lines]
    assert [line["epoch"] for line in lines] == [1, 2, 3]


def test_its_split_names_every_image_once(finished):
    run, folder = finished
    with (run / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = {path.relative_to(folder / "images").as_posix() for path in (folder / "images").rglob("*.png")}
    assert sorted(row["file"] for row in rows) == sorted(images)
    assert {row["file"].partition("/")[0] == row["class"] for row in rows} == {True}
    assert [sum(row["split"] == split for row in rows) for split in ("train", "val")] == [72, 18]


def test_its_summary_and_confusion_count_the_validation_images(finished):
    run, _ = finished
    summary = json.loads((run / "summary.json").read_text())
    with (run / "confusion.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    counts = np.array([[int(cell) for cell in row[1:]] for row in rows])
    assert [row[0] for row in rows] == summary["classes"] == ["a", "b", "c"]
    assert counts.sum(axis=1).tolist() == [8, 6, 4]
    assert summary["status"] == "finished"
    assert summary["evaluation"]["accuracy"] == np.trace(counts) / counts.sum()
    assert summary["best"]["epoch"] == load_checkpoint(run / "checkpoints/best.npz").state.epoch


def test_its_environment_names_versions_threads_and_cpu(finished):
    run, _ = finished
    environment = json.loads((run / "environment.json").read_text())
    assert environment["packages"]["numpy"] == np.__version__
    assert environment["threads"] >= 1


def test_a_number_that_is_none_is_null(tmp_path):
    RunDirectory(tmp_path).write_json(
        "a.json", {"loss": float("nan"), "more": [float("inf"), 1.5], "text": ("a", None)}
    )
    content = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert content == {"loss": None, "more": [None, 1.5], "text": ["a", None]}


def test_class_names_that_are_no_utf_8_come_back(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    RunDirectory(tmp_path).write_confusion(np.eye(2, dtype=int), [name, "a,b"])
    with (tmp_path / "confusion.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        assert next(iter(csv.reader(file)))[1:] == [name, "a,b"]


def test_a_checkpoint_file_stands_for_the_run_around_it(finished):
    run, _ = finished
    assert existing_run_directory(run / "checkpoints/best.npz").path == run
    with pytest.raises(CheckpointError, match=r"there is no config\.yaml in it"):
        existing_run_directory(run / "checkpoints")


def test_a_summary_counts_only_for_the_run_that_it_tells_of(finished, tmp_path):
    run, _ = finished
    assert RunDirectory(run).finished_summary(3)["status"] == "finished"
    assert RunDirectory(run).finished_summary(2) is None
    for text in ("", "[]", '{"status": "interrupted", "epochs": 3}'):
        (tmp_path / "summary.json").write_text(text)
        assert RunDirectory(tmp_path).finished_summary(3) is None


def test_a_disk_that_fills_up_ends_a_run_with_3_and_it_goes_on_when_there_is_room(tmp_path):
    config, constant = write_job(tmp_path), "train.schedule=constant"
    assert train(config, constant, "train.epochs=4", "--run", tmp_path / "whole", cwd=tmp_path)[0] == 0
    with full_disk(tmp_path / "disk", "4m") as disk:
        run, filler = disk / "run", disk / "filler"
        assert train(config, constant, "train.epochs=2", "--run", run, cwd=tmp_path)[0] == 0
        before = (run / "checkpoints/last.npz").read_bytes()
        fill(filler)
        code, _, err = train("--resume", run, "train.epochs=4", cwd=tmp_path)
        assert code == 3
        assert "No space left on device" in err
        assert "Traceback" not in err
        assert not [name for name in files_of(run) if "partial" in name]
        assert (run / "checkpoints/last.npz").read_bytes() == before
        filler.unlink()
        assert train("--resume", run, "train.epochs=4", cwd=tmp_path)[0] == 0
        assert (run / "checkpoints/last.npz").read_bytes() == (tmp_path / "whole/checkpoints/last.npz").read_bytes()


def fill(path):
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


def test_a_run_that_can_only_be_read_is_refused_with_3_and_a_finished_one_is_left_alone(finished):
    _, folder = finished
    with read_only_disk(folder) as disk:
        code, _, err = train("--resume", disk / "run", cwd=folder)
        assert code == 0, err
        code, _, err = train("--resume", disk / "run", "train.epochs=5", cwd=folder)
    assert code == 3
    assert "Read-only file system" in err
    assert "Traceback" not in err
