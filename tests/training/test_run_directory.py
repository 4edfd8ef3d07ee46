"""What a run leaves behind: every file, what is in it, and what a failing disk does to it."""

import csv
import json
import os
import shutil
from contextlib import suppress

import numpy as np
import pytest

from cnnbp.config import load_config
from cnnbp.errors import CheckpointError, ConfigError
from cnnbp.files import name_in
from cnnbp.training.checkpoint import load_checkpoint
from cnnbp.training.loop import EpochEvent
from cnnbp.training.run_directory import (
    COLUMNS,
    MetricsLog,
    RunDirectory,
    claimed,
    existing_run_directory,
    new_run_directory,
    refuse_used,
)
from cnnbp.training.state import EpochMetrics
from tests.cli.command import cnnbp
from tests.training.disks import full_disk, read_only_disk
from tests.training.runs import fingerprint, start, train, write_job

FILES = {
    "config.yaml",
    "metrics.csv",
    "metrics.jsonl",
    "layers.csv",
    "summary.json",
    "split.csv",
    "confusion.csv",
    "environment.json",
    "checkpoints/last.npz",
    "checkpoints/best.npz",
}
PICTURES = {"curves.png", "confusion.png", "filters.png", "layers.png", "misclassified.png"}


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


def test_any_class_names_come_back(tmp_path):
    names = [os.fsdecode(b"caf\xe9"), "a,b", "=1+1", "\x1b[31m"]
    RunDirectory(tmp_path).write_confusion(np.eye(4, dtype=int), names)
    assert b"\x1b" not in (tmp_path / "confusion.csv").read_bytes()
    with (tmp_path / "confusion.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        assert [name_in(cell) for cell in next(iter(csv.reader(file)))[1:]] == names


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


EPOCHS = [EpochMetrics(n, 1 / 3, 0.5, None, None, 0.1, 2.0, 1e-3) for n in (1, 2, 3)]


def event(metrics, seconds):
    return EpochEvent(metrics, (), (), (), images_per_second=10.0, seconds=seconds)


@pytest.fixture
def log(tmp_path):
    log = MetricsLog(tmp_path)
    log.start_from([])
    for metrics in EPOCHS:
        log.append(event(metrics, metrics.epoch / 4))
    return log


def read(log):
    with log.csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return rows, [json.loads(line) for line in log.jsonl.read_text().splitlines()]


def test_both_have_every_column_of_every_epoch(log):
    rows, lines = read(log)
    assert [tuple(row) for row in rows] == [COLUMNS] * 3
    assert [tuple(line) for line in lines] == [COLUMNS] * 3
    assert [float(row["train_loss"]) for row in rows] == [1 / 3] * 3  # to the last bit
    assert [line["seconds"] for line in lines] == [0.25, 0.5, 0.75]
    assert rows[0]["val_loss"] == ""
    assert lines[0]["val_loss"] is None


def test_starting_from_a_history_drops_what_came_after_it_and_keeps_the_times(log):
    whole = log.csv.read_text().splitlines(keepends=True)
    log.start_from(EPOCHS[:2])
    assert log.csv.read_text() == "".join(whole[:3])
    assert [line["seconds"] for line in read(log)[1]] == [0.25, 0.5]


@pytest.mark.parametrize(
    "damage",
    [
        b'{"epoch": 3, "tra',
        b"\xff\xfe\n",
        b"[1]\n",
        b'{"epoch": [1]}\n',
        b"3\n",
        b"[" * 100_000 + b"\n",
        b'{"epoch": 3, "images_per_second": "fast", "seconds": [1]}\n',
        b'{"epoch": 3, "images_per_second": NaN, "seconds": 1e999}\n',
        b'{"epoch": 3, "images_per_second": 1' + b"0" * 400 + b', "seconds": 1}\n',
    ],
)
def test_a_line_that_was_cut_off_or_is_something_else_is_written_anew(log, damage):
    log.jsonl.write_bytes(log.jsonl.read_bytes()[:-20] + b"\n" + damage)
    log.start_from(EPOCHS)
    rows, lines = read(log)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert [line["seconds"] for line in lines] == [0.25, 0.5, None]
    assert rows[2]["seconds"] == ""


def test_files_that_are_gone_come_back_without_times(log):
    log.csv.unlink()
    log.jsonl.unlink()
    log.start_from(EPOCHS)
    assert [line["seconds"] for line in read(log)[1]] == [None] * 3


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(CheckpointError, match=r"cannot write '.*metrics\.csv'"):
        MetricsLog(tmp_path).append(event(EPOCHS[0], 1.0))


def made(wanted=None, name="job"):
    with new_run_directory(wanted, name) as run:
        return run.path


def test_by_default_it_is_the_first_of_its_name_that_is_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [str(made()) for _ in range(3)] == ["runs/job", "runs/job-2", "runs/job-3"]
    shutil.rmtree("runs/job-2")
    assert str(made()) == "runs/job-2"


def test_a_folder_that_is_empty_or_not_there_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    assert made(tmp_path / "empty") == tmp_path / "empty"
    assert made(tmp_path / "deep/down") == tmp_path / "deep/down"


def test_a_start_that_was_killed_before_its_config_is_taken_up(tmp_path):
    run = made(tmp_path / "run")
    (run / "metrics.csv").write_text("epoch")
    (run / "split.csv.partial").write_text("f")
    assert made(run) == run


@pytest.mark.parametrize("name", ["config.yaml", "notes.txt"])
def test_a_folder_that_holds_something_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="is there already: choose another --run, or go on with --resume"):
        made(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_file_is_no_place_for_a_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is no folder"):
        refuse_used(tmp_path / "file")


def test_a_second_claim_is_refused_until_the_first_one_ends(tmp_path):
    run = RunDirectory(tmp_path)
    with claimed(run), pytest.raises(CheckpointError, match="another process is training in"), claimed(run):
        pass
    with claimed(run):
        pass


def test_a_disk_that_cannot_be_written_is_said_to_be_one(tmp_path):
    with read_only_disk(tmp_path) as disk, pytest.raises(CheckpointError, match="Read-only file system"):
        made(disk / "run")


def test_the_command_refuses_a_used_folder_before_it_reads_an_image(tmp_path):
    config = write_job(tmp_path)
    shutil.rmtree(tmp_path / "images")
    code, out, err = train(config, "--run", tmp_path, cwd=tmp_path)
    assert (code, out) == (2, "")
    assert "is there already" in err


def test_runs_that_start_at_the_same_time_get_folders_of_their_own(tmp_path):
    config = write_job(tmp_path)
    processes = [start(config, "train.epochs=2", cwd=tmp_path) for _ in range(3)]
    assert [process.communicate(timeout=120) and process.returncode for process in processes] == [0, 0, 0]
    runs = sorted((tmp_path / "runs").iterdir())
    assert [run.name for run in runs] == ["job", "job-2", "job-3"]
    first, second, third = map(fingerprint, runs)
    assert first == second == third


def test_of_two_that_want_the_same_folder_one_is_refused(tmp_path):
    config, run = write_job(tmp_path), tmp_path / "run"
    processes = [start(config, "train.epochs=3", "--run", run, cwd=tmp_path) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes in ([0, 2], [0, 3]), errors  # 3 where the other one had claimed it, 2 where it had begun
    assert any("another process is training in" in error or "is there already" in error for error in errors)


def test_a_run_that_is_under_way_cannot_be_resumed(tmp_path):
    config, run = write_job(tmp_path), tmp_path / "run"
    assert train(config, "train.epochs=1", "--run", run, cwd=tmp_path)[0] == 0
    with claimed(RunDirectory(run)):
        code, _, err = train("--resume", run, "train.epochs=2", cwd=tmp_path)
    assert code == 3
    assert f"another process is training in '{run}'" in err
