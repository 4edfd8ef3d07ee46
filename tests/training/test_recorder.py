"""Whenever a process ends, its files can be gone on from."""

import platform

import numpy as np
import pytest

from cnnbp import __version__
from cnnbp.training import recorder
from cnnbp.training.checkpoint import load_checkpoint
from cnnbp.training.loop import EpochEvent, StepEvent, train
from cnnbp.training.recorder import describe_environment
from cnnbp.training.run_directory import new_run_directory
from cnnbp.training.state import TrainingState, best_epoch
from tests.training.jobs import config, images, working


@pytest.fixture
def recording(tmp_path, request):
    """A recorder of a new run that has a checkpoint at every event, or only where `save_every` says so."""
    options = {"save_every": 1e-9, **getattr(request, "param", {})}
    settings = config(images(tmp_path / "images"), epochs=4, **options)
    with working(settings) as (job, state), new_run_directory(tmp_path / "run", "") as run:
        yield recorder.start(job, run, state)


def test_a_new_run_begins_with_a_checkpoint_of_its_first_state(recording):
    state = load_checkpoint(recording.directory.last).state
    assert (state.step, state.history) == (0, [])
    assert not recording.directory.best.exists()
    assert recording.directory.config.exists()


@pytest.mark.parametrize("recording", [{"keep": "loss"}, {"keep": "accuracy", "optimizer": "adam"}], indirect=True)
def test_each_event_finds_the_files_in_step(recording):
    run = recording.directory
    for event in recording.watch(train(recording.job, recording.state)):
        state = load_checkpoint(run.last).state
        assert state.step == recording.state.step
        assert state.parameters.vector.tobytes() == recording.state.parameters.vector.tobytes()
        assert len(run.metrics.jsonl.read_text().splitlines()) == len(state.history)
        if isinstance(event, EpochEvent):
            best = load_checkpoint(run.best).state
            assert best.history[-1] == best_epoch(state.history, recording.job.config.train.keep)


@pytest.mark.parametrize("recording", [{"save_every": 1e9}], indirect=True)
def test_in_between_nothing_is_written_but_metrics(recording):
    run = recording.directory
    before = run.last.read_bytes()
    for event in recording.watch(train(recording.job, recording.state)):
        if isinstance(event, StepEvent):
            assert run.last.read_bytes() == before
            break
    recording.save()
    assert run.last.read_bytes() != before


def test_what_was_written_after_the_last_checkpoint_is_written_again(recording, tmp_path):
    """As if the process had ended after two epochs with a checkpoint from the first one."""
    run, job = recording.directory, recording.job
    events = recording.watch(train(job, recording.state))
    next(event for event in events if isinstance(event, EpochEvent))
    first = run.last.read_bytes()
    for _ in events:
        pass
    expected = {path.name: path.read_bytes() for path in (run.last, run.best)}
    run.last.write_bytes(first)
    again = recorder.resume(job, run, load_checkpoint(run.last).state)
    assert len(run.metrics.jsonl.read_text().splitlines()) == 1
    for _ in again.watch(train(job, again.state)):
        pass
    assert {path.name: path.read_bytes() for path in (run.last, run.best)} == expected


def test_a_resumed_run_writes_its_new_configuration_before_what_is_made_with_it(recording, monkeypatch):
    """A process that ends between the two must find a checkpoint whose options may grow to those of config.yaml."""
    written = []
    monkeypatch.setattr(recorder, "save_checkpoint", lambda path, _: written.append(path.name))
    monkeypatch.setattr(type(recording.directory), "write_config", lambda *_: written.append("config.yaml"))
    recorder.resume(recording.job, recording.directory, TrainingState.initial(recording.job.config))
    assert written == ["config.yaml", "last.npz"]


def test_it_names_what_the_last_bits_depend_on():
    environment = describe_environment(3, {"layers.py": "0a"})
    assert environment.python == platform.python_version()
    assert (environment.packages["cnnbp"], environment.packages["numpy"]) == (__version__, np.__version__)
    assert (environment.threads, environment.imported) == (3, {"layers.py": "0a"})
    assert environment.blas
    assert environment.cpu
