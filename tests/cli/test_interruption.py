"""Ctrl-C and its like, sent to a real process."""

import json
import os
import signal
import time

import pytest

from cnnbp.cli.interruption import Interruption
from cnnbp.training.checkpoint import load_checkpoint
from tests.training.runs import EVERYTHING, fingerprint, start, train, write_job

SLOW = """\
input: {channels: 1, height: 64, width: 64}
data: {path: images}
layers:
  [{conv2d: {filters: 64, kernel: 9}}, relu, {conv2d: {filters: 64, kernel: 9}}, relu, flatten, {dense: {units: 3}}]
loss: cross_entropy
train: {batch_size: 64, epochs: 9}
"""


@pytest.fixture(scope="module", autouse=True)
def hangup_heard():
    """Let SIGHUP count, whatever started the tests: under nohup it would stay ignored, here and in what they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def wait_for(happened, process):
    while not happened():
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)


def interrupted(config, run, *numbers, cwd):
    """Train until an epoch is over, send signals, and return the exit code and stderr."""
    process = start(config, "--run", run, cwd=cwd)
    wait_for(lambda: (run / "config.yaml").exists() and (run / "metrics.jsonl").read_bytes(), process)
    for number in numbers:
        process.send_signal(number)
    _, err = process.communicate(timeout=120)
    return process.returncode, err


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A configuration, and the fingerprint of a run that was let be."""
    folder = tmp_path_factory.mktemp("whole")
    config = write_job(folder, EVERYTHING.replace("epochs: 12", "epochs: 40").replace("0.02", "30"))
    assert train(config, "--run", folder / "run", cwd=folder)[0] == 0
    return config, fingerprint(folder / "run")


@pytest.mark.parametrize(
    ("number", "message", "expected"),
    [
        (signal.SIGINT, "interrupted: finishing this batch and saving; Ctrl-C again quits at once", 130),
        (signal.SIGTERM, "asked to end: finishing this batch and saving; a second signal quits at once", 143),
        (signal.SIGHUP, "asked to end: finishing this batch and saving; a second signal quits at once", 129),
    ],
)
def test_an_interrupted_run_says_so_saves_and_goes_on_to_the_same_bytes(whole, tmp_path, number, message, expected):
    config, alone = whole
    run = tmp_path / "run"
    code, err = interrupted(config, run, number, cwd=tmp_path)
    assert code == expected
    assert message in err
    assert "Traceback" not in err
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert summary["steps"] == load_checkpoint(run / "checkpoints/last.npz").state.step > 0
    assert train("--resume", run, cwd=tmp_path)[0] == 0
    assert fingerprint(run) == alone


def test_a_second_ctrl_c_quits_at_once_and_leaves_the_last_checkpoint(tmp_path):
    config, run = write_job(tmp_path, SLOW, side=64), tmp_path / "run"
    process = start(config, "--run", run, cwd=tmp_path)
    wait_for((run / "config.yaml").exists, process)
    process.send_signal(signal.SIGINT)
    assert any("interrupted: " in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not (run / "summary.json").exists()
    assert load_checkpoint(run / "checkpoints/last.npz").state.step == 0


def test_the_first_signal_asks_and_the_second_one_stops():
    with Interruption() as interruption:
        assert not interruption.requested
        signal.raise_signal(signal.SIGINT)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_different_signals_at_once_are_one_request(capfd):
    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
    with Interruption() as interruption:
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number in numbers:
            os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        assert interruption.requested
    assert capfd.readouterr().err.count("saving") == 3
    assert interruption.exit_code in (128 + number for number in numbers)


def test_a_signal_is_heard_where_it_cannot_be_told(capfd):
    kept = os.dup(2)
    os.close(2)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert interruption.requested


def test_afterwards_the_signals_do_what_they_did_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interruption():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] != before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
        assert not interruption.requested
    finally:
        signal.signal(signal.SIGINT, before)
