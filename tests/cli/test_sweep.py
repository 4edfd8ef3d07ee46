"""Sweeps and lists of runs: real trainings side by side, stopped, killed and gone on with."""

import json
import os
import signal
import subprocess
import time

import pytest

from tests.cli.command import COMMAND, cnnbp, environment
from tests.cli.runs import document, image_folder

CONFIG = """
input: {channels: 1, height: 6, width: 6}
data: {path: images}
layers: [{conv2d: {filters: 2, kernel: 3}}, relu, flatten, {dense: {units: 3}}]
loss: cross_entropy
train: {epochs: 2, batch_size: 4, optimizer: {sgd: {lr: 0.1}}}
"""
GRID = ("train.optimizer.sgd.lr=0.1,0.5", "--seeds", 2, "--no-plots")
NAMES = [f"lr={lr},seed={seed}" for lr in ("0.1", "0.5") for seed in (0, 1)]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return image_folder(tmp_path_factory.mktemp("images"))


@pytest.fixture
def folder(tmp_path, images):
    (tmp_path / "images").symlink_to(images)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def checkpoints(folder):
    return {path.parent.parent.name: path.read_bytes() for path in folder.glob("**/last.npz")}


def test_a_sweep_trains_what_train_would_and_compares_the_settings(folder):
    code, screen, errors = cnnbp("sweep", "c.yaml", *GRID, cwd=folder)
    assert code == 0, errors
    assert [line.split()[1] for line in screen.splitlines() if line.startswith(("a ", "b "))] == ["0.1", "0.5"]
    assert screen.count("best") == 1 + screen.count("from the best")
    alone = ("train", "c.yaml", "train.optimizer.sgd.lr=0.5", "seed=1", "--run", "alone", "--no-plots")
    assert cnnbp(*alone, cwd=folder)[0] == 0
    made = checkpoints(folder / "runs" / "c-sweep")
    assert sorted(made) == NAMES
    assert made["lr=0.5,seed=1"] == checkpoints(folder / "alone")["alone"]
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*")}
    again = document("sweep", "c.yaml", *GRID, cwd=folder)
    assert [len(setting["runs"]) for setting in again["settings"]] == [2, 2]
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*")} == before
    listed = document("runs", cwd=folder)
    assert [record["path"] for record in listed] == [f"runs/c-sweep/{name}" for name in NAMES]
    assert {record["status"] for record in listed} == {"finished"}
    code, screen, _ = cnnbp("runs", "runs", "alone", "--curves", cwd=folder)
    assert code == 0
    assert "lr" in screen.splitlines()[0] + screen.splitlines()[1]


def test_each_image_is_held_out_by_one_of_the_folds(folder):
    code, _, errors = cnnbp("sweep", "c.yaml", "--folds", 3, "--no-plots", cwd=folder)
    assert code == 0, errors
    runs = [folder / "runs" / "c-sweep" / f"seed=0,fold={k}of3" for k in (1, 2, 3)]
    rows = [line.rsplit(",", 2) for run in runs for line in (run / "split.csv").read_text().splitlines()[1:]]
    held_out = [row for row in rows if "val" in row]
    assert len(held_out) == len({tuple(row) for row in held_out}) == len(rows) // 3


@pytest.mark.parametrize(
    ("fold", "code", "message"),
    [
        ("[4, 3]", 2, "not part 4 of 3"),
        ("[1, 1]", 2, "at least 2, not 1"),
        ("[1, 99]", 3, "too few for 99 folds"),
    ],
)
def test_folds_that_cannot_be_are_refused(folder, fold, code, message):
    got, _, errors = cnnbp("train", "c.yaml", f"data.fold={fold}", cwd=folder)
    assert (got, message in errors) == (code, True), errors


@pytest.mark.parametrize("kind", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_sweep_that_is_stopped_goes_on_to_the_same_bytes(folder, kind):
    grid = ["train.optimizer.sgd.lr=0.1,0.5", "--seeds", "1", "--no-plots", "train.epochs=40"]
    command = [*COMMAND, "sweep", "c.yaml", *grid]
    process = subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, start_new_session=True)
    wait_for(lambda: len(list(folder.glob("runs/c-sweep/*/metrics.jsonl"))) >= 2)
    if kind == signal.SIGINT:
        process.send_signal(kind)
    else:
        for child in children(process.pid):
            os.kill(child, kind)
        process.kill()
    process.communicate(timeout=60)
    assert process.returncode in (130, -9)
    code, _, errors = cnnbp("sweep", "c.yaml", *grid, cwd=folder)
    assert code == 0, errors
    stopped = checkpoints(folder / "runs")
    assert cnnbp("sweep", "c.yaml", *grid, "--into", "whole", cwd=folder)[0] == 0
    assert stopped == checkpoints(folder / "whole")


def test_runs_that_a_killed_sweep_has_left_keep_another_one_from_training_beside_them(folder):
    grid = ["sweep", "c.yaml", "--seeds", "1", "--no-plots", "train.epochs=100000"]
    process = subprocess.Popen([*COMMAND, *grid], cwd=folder, env=environment(), stderr=subprocess.DEVNULL)
    wait_for(lambda: children(process.pid))
    [left] = children(process.pid)
    process.kill()
    process.wait(timeout=60)
    try:
        code, _, errors = cnnbp(*grid, cwd=folder)
    finally:
        os.kill(left, signal.SIGKILL)
    assert (code, "another process is training in 'runs/c-sweep'" in errors) == (3, True), errors


def test_a_run_that_fails_is_named_and_the_others_are_compared(folder):
    code, screen, errors = cnnbp("sweep", "c.yaml", "train.optimizer.sgd.lr=0.1,1e60", "--seeds", 1, cwd=folder)
    assert code == 1
    assert "failed: lr=1e60,seed=0: error: training diverged" in errors
    assert "best" in screen
    assert (folder / "runs" / "c-sweep" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert {record["status"] for record in document("runs", cwd=folder)} == {"finished", "diverged"}


def test_a_folder_of_another_sweep_and_wrong_values_are_refused_before_the_first_step(folder):
    assert cnnbp("sweep", "c.yaml", *GRID, cwd=folder)[0] == 0
    code, _, errors = cnnbp("sweep", "c.yaml", *GRID, "train.batch_size=8", cwd=folder)
    assert code == 2
    assert "train.batch_size: 4 → 8" in errors
    code, _, errors = cnnbp("sweep", "c.yaml", "train.epochs=3,many", "--into", "other", cwd=folder)
    assert code == 2
    assert "many" in errors
    assert not (folder / "other").exists()


def test_runs_says_what_it_cannot_read_and_lists_the_rest(folder):
    assert cnnbp("train", "c.yaml", "--no-plots", cwd=folder)[0] == 0
    assert cnnbp("train", "c.yaml", "--no-plots", cwd=folder)[0] == 0
    (folder / "runs" / "c-2" / "config.yaml").write_text("layers: [")
    with (folder / "runs" / "c" / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "train')
    (folder / "runs" / "c" / "summary.json").write_text("[" * 100_000)
    code, screen, errors = cnnbp("runs", "--json", cwd=folder)
    assert code == 0
    [record] = json.loads(screen)
    assert (len(record["history"]), record["status"]) == (2, "unfinished")
    assert "warning: 'runs/c-2' cannot be read as a run" in errors
    code, _, errors = cnnbp("runs", "images", cwd=folder)
    assert code == 3
    assert "there is no run there" in errors
    code, _, errors = cnnbp("compare", "runs/c", "runs/c-2", cwd=folder)
    assert code == 2
    assert "'runs/c' is a run: runs are compared by `cnnbp runs RUN RUN --curves`" in errors


def test_a_newcomer_is_told_how_values_are_written_where_runs_are_and_how_they_come_to_be(folder):
    assert "KEY=A,B,…" in cnnbp("sweep", "--help")[1]
    code, _, errors = cnnbp("runs", cwd=folder)
    assert (code, errors) == (3, "error: there is no run in runs/: cnnbp train CONFIG makes one\n")
    code, screen, errors = cnnbp("sweep", "c.yaml", *GRID, "--into", "my runs", cwd=folder)
    assert code == 0, errors
    assert "its runs are in 'my runs'; each of them: cnnbp runs 'my runs'" in screen
    assert "worse: by more than the seeds' noise" in screen


def children(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in listed.stdout.split()]


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
