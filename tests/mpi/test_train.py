"""Training on several ranks: the same bytes, and no rank that waits for one that is gone."""

import re
import shutil
import signal
import time

import numpy as np
import pytest
from PIL import Image

from tests.data.images import save
from tests.mpi import jobs
from tests.mpi.jobs import checkpoint, needs_mpiexec, started, train

pytestmark = needs_mpiexec
slow = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def tidy():
    """Give back the shared memory of ranks that were ended; others' that were there before stays."""
    before = jobs.forgotten_memory()
    yield
    for path in jobs.forgotten_memory() - before:
        path.unlink(missing_ok=True)


LONG = 16  # epochs of a run that is stopped before its end


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The configurations, each with the checkpoint that one process makes of it."""
    found = {}
    for kind in jobs.LAYERS:
        folder = tmp_path_factory.mktemp(kind)
        config = jobs.write_job(folder, kind)
        code, _, err = train(config, "--run", "alone", ranks=0, cwd=folder)
        assert code == 0, err
        found[config] = checkpoint(folder / "alone")
    return found


@pytest.fixture(scope="module")
def long_job(tmp_path_factory):
    """A configuration that takes a while, and the checkpoint at its end."""
    folder = tmp_path_factory.mktemp("long")
    config = jobs.write_job(folder, "batchnorm", epochs=LONG)
    with config.open("a") as file:
        file.write("  save_every: 0.1\n")
    code, _, err = train(config, "--run", "alone", ranks=0, cwd=folder)
    assert code == 0, err
    return config, checkpoint(folder / "alone")


@slow
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_any_number_of_ranks_and_threads_trains_the_same_bytes(trained, tmp_path, ranks):
    with jobs.launched("tests.mpi.trainings", f"on{ranks}", *trained, ranks=ranks, cwd=jobs.ROOT) as process:
        out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert out.count("best epoch") == 2 * len(trained)  # one voice
    assert err.count("have nothing to do") == 0
    for config, expected in trained.items():
        assert [checkpoint(config.parent / f"on{ranks}-{threads}") == expected for threads in (1, 2)] == [True, True]


@slow
def test_a_rank_that_is_killed_ends_all_at_once_and_the_run_goes_on_to_the_same_bytes(long_job, tmp_path):
    config, expected = long_job
    run = tmp_path / "run"
    process = started(config, "--run", run, ranks=4, cwd=config.parent)
    wait_for_epochs(run, 3)
    ranks = jobs.ranks_of(process)
    assert len(ranks) == 4
    jobs.kill(ranks[2])
    out, err = process.communicate(timeout=10)
    assert process.returncode != 0
    assert "Killed (signal 9)" in out + err  # this is mpiexec's to say
    assert not any(map(jobs.is_running, ranks))
    assert checkpoint(run) != expected
    code, out, err = train("--resume", run, ranks=2, cwd=tmp_path)
    assert code == 0, err
    assert "going on" in out
    assert checkpoint(run) == expected


@slow
def test_ctrl_c_saves_and_ends_all_and_one_process_can_go_on(long_job, tmp_path):
    config, expected = long_job
    run = tmp_path / "run"
    process = started(config, "--run", run, ranks=3, cwd=config.parent)
    wait_for_epochs(run, 2)
    ranks = jobs.ranks_of(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.count("finishing this batch and saving") == 1
    assert out.count("--resume") == 1
    assert not any(map(jobs.is_running, ranks))
    code, _, err = train("--resume", run, ranks=0, cwd=tmp_path)
    assert code == 0, err
    assert checkpoint(run) == expected


@slow
def test_a_file_that_only_one_rank_reads_and_cannot_ends_all_with_its_rank_and_host(tmp_path):
    config = jobs.write_job(tmp_path, "plain", epochs=LONG)
    for split in ("train", "val"):
        shutil.copytree(tmp_path / "images", tmp_path / "splits" / split)
    for path in (tmp_path / "splits" / "val").glob("*/*.png"):
        save(path, np.asarray(Image.open(path)) ^ 1)  # a copy of a training image would not validate
    run = tmp_path / "run"
    process = started(config, tmp_path / "splits", "data.cache=0", "--run", run, ranks=3, cwd=tmp_path)
    wait_for_epochs(run, 1)
    last = max((tmp_path / "splits" / "val" / "b").iterdir())  # of the validation images: the last rank reads it
    last.write_bytes(b"no image")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 3
    assert "error: rank 2 on " in err
    assert str(last) in err


@slow
def test_what_is_wrong_for_all_ranks_is_said_once(tmp_path):
    config = jobs.write_job(tmp_path, "plain")
    code, out, err = train(config, "train.epoch=3", ranks=3, cwd=tmp_path)
    assert (code, out, err.count("error:")) == (2, "", 1)
    (tmp_path / "images" / "a" / "000.png").write_bytes(b"no image")
    code, _, err = train(config, ranks=3, cwd=tmp_path)
    assert (code, len(re.findall(r"1 of \d+ images cannot be read", err))) == (3, 1)
    code, _, err = train(config, "--skip-bad", "train.epochs=1", ranks=3, cwd=tmp_path)
    assert code == 0
    assert err.count("skipped 1 images that cannot be read") == 1


def test_a_fault_of_rank_0_alone_ends_all(tmp_path):
    config = jobs.write_job(tmp_path, "plain")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("kept")
    code, _, err = train(config, "--run", tmp_path / "run", ranks=2, cwd=tmp_path)
    assert code == 2
    assert err.count("is there already") == 1


@slow
def test_a_divergence_is_traced_as_in_one_process_and_said_once(tmp_path):
    config = jobs.write_job(tmp_path, "batchnorm")
    told = []
    for ranks in (0, 3):
        run = tmp_path / f"on{ranks}"
        code, _, err = train(config, "train.optimizer.adam.lr=1e36", "--run", run, ranks=ranks, cwd=tmp_path)
        assert (code, err.count("training diverged in epoch 1 at step 2")) == (1, 1)
        told.append((run / "diverged.json").read_text())
    assert told[0] == told[1]


@slow
def test_ranks_without_work_are_told_of(tmp_path):
    config = jobs.write_job(tmp_path, "plain", epochs=1)
    code, out, err = train(config, "train.batch_size=2", "data.validation=0.9", "--threads", "1", ranks=3, cwd=tmp_path)
    assert code == 0
    assert ", 1 thread each" in out
    assert "a batch of 2 images is cut into 1 micro-batch, so 2 of 3 ranks have nothing to do" in err


@slow
def test_trials_work_on_several_ranks(tmp_path):
    config = jobs.write_job(tmp_path, "batchnorm")
    alone = train(config, "--dry-run", "--json", ranks=0, cwd=tmp_path)[1]
    shared = train(config, "--dry-run", "--json", ranks=2, cwd=tmp_path)[1]
    without_time = [[line for line in text.splitlines() if "seconds" not in line] for text in (alone, shared)]
    assert without_time[0] == without_time[1] != []


def wait_for_epochs(run, count):
    """Wait until a run has written so many lines of metrics."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        file = run / "metrics.jsonl"
        if file.exists() and len(file.read_bytes().splitlines()) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{run} has no {count} epochs after a minute")
