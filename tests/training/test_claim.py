"""A run directory belongs to one run, and to one process at a time."""

import shutil

import pytest

from cnnbp.errors import CheckpointError, ConfigError
from cnnbp.training.claim import claimed, new_run_directory, refuse_used
from cnnbp.training.run_directory import RunDirectory
from tests.training.disks import read_only_disk
from tests.training.runs import fingerprint, start, train, write_job


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
