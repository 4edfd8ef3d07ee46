"""Chunks of work on processes, on threads and on neither: each is done once, and what goes wrong is told."""

import os
import signal

import pytest

from cnnbp.data import parallel
from cnnbp.data.parallel import in_chunks
from cnnbp.engine.fork import CAN_FORK, shared_zeros
from cnnbp.errors import DataError
from tests.processes import children

on_processes = pytest.mark.skipif(not CAN_FORK, reason="processes are not forked here")
TOTAL = 1000
HERE = os.getpid()


@pytest.fixture(params=["quick", pytest.param("processes", marks=on_processes), "threads"])
def how(request, monkeypatch):
    monkeypatch.setattr(parallel, "_SLOW", 1e9 if request.param == "quick" else 0)
    return {"threads": 3, "processes": request.param == "processes"}


def test_every_chunk_is_done_once_the_first_one_first(how):
    done = list(in_chunks(sum, TOTAL, **how))
    assert done[0][0].start == 0
    assert sorted(index for chunk, _ in done for index in chunk) == list(range(TOTAL))
    assert all(result == sum(chunk) for chunk, result in done)
    assert list(in_chunks(sum, 0, **how)) == []


def test_what_a_chunk_raises_is_raised_here(how):
    def refuse(chunk):
        if 700 in chunk:
            raise ValueError("no 700")
        return len(chunk)

    with pytest.raises(ValueError, match="no 700"):
        list(in_chunks(refuse, TOTAL, **how))


@on_processes
def test_processes_fill_in_memory_that_is_shared_and_leave_when_they_are_done(monkeypatch):
    monkeypatch.setattr(parallel, "_SLOW", 0)
    numbers, before = shared_zeros((TOTAL,)), children()

    def fill(chunk):
        numbers[chunk.start : chunk.stop] = 7
        return os.getpid()

    workers = {result for _, result in in_chunks(fill, TOTAL, 2)}
    assert (numbers == 7).all()
    assert len(workers - {HERE}) == 2
    assert children() == before


@on_processes
def test_who_stops_listening_leaves_nobody_behind(monkeypatch):
    monkeypatch.setattr(parallel, "_SLOW", 0)
    before, chunks = children(), in_chunks(sum, TOTAL, 2)
    next(chunks)
    next(chunks)
    assert len(children() - before) == 2
    chunks.close()
    assert children() == before


@on_processes
def test_a_process_that_is_killed_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr(parallel, "_SLOW", 0)

    def die(chunk):
        if os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        return len(chunk)

    with pytest.raises(DataError, match="fewer --threads"):
        list(in_chunks(die, TOTAL, 2))


@on_processes
def test_a_system_that_gives_no_process_is_worked_for_by_threads(monkeypatch):
    monkeypatch.setattr(parallel, "_SLOW", 0)
    monkeypatch.setattr(os, "fork", lambda: (_ for _ in ()).throw(BlockingIOError(11, "no more processes")))
    assert sum(len(chunk) for chunk, _ in in_chunks(sum, TOTAL, 2)) == TOTAL
