"""A forked process keeps what it needs and hears of nothing but its pipe."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Pipe
from pathlib import Path

import pytest

from cnnbp.engine.fork import CAN_FORK, end, fork

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="processes are not forked here")


def test_it_has_the_pipe_and_the_standard_streams_and_no_other_file(tmp_path):
    mine, other = Pipe()

    def work():
        kept = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]  # the list itself is closed
        other.send({int(entry.name): str(entry.readlink()) for entry in kept})

    with (tmp_path / "open").open("w"):
        process = fork(work, other.fileno())
        kept = mine.recv()
    assert set(kept) <= {0, 1, 2, other.fileno()}
    assert kept[0] == kept[1] == os.devnull
    end(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_all_of_a_terminals_processes_get_are_not_for_it(number):
    mine, other = Pipe()
    process = fork(lambda: other.send(other.recv()), other.fileno())
    os.kill(process, number)
    mine.send("still here")
    assert mine.recv() == "still here"
    end(process)
    assert number not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_what_goes_wrong_in_it_does_not_come_back_twice():
    mine, other = Pipe()
    process = fork(lambda: 1 // 0, other.fileno())
    other.close()
    with pytest.raises(EOFError):
        mine.recv()
    end(process)


LEADER = """
import os, sys, time
from multiprocessing.connection import Pipe
from cnnbp.engine.fork import fork
pipes = []
for _ in range(2):
    mine, other = Pipe()
    pipes.append(mine)
    print(fork(lambda: other.poll(None), other.fileno()), flush=True)
    other.close()
time.sleep(60)
"""


def test_all_end_when_the_one_that_forked_them_is_killed():
    with subprocess.Popen([sys.executable, "-c", LEADER], stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout
        members = [int(leader.stdout.readline()) for _ in range(2)]
        leader.kill()
    deadline = time.monotonic() + 30
    while any(is_running(member) for member in members):
        assert time.monotonic() < deadline, "a process outlived the one it works for"
        time.sleep(0.01)


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
