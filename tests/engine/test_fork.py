"""A forked process keeps what it needs and hears of nothing but its pipe."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnnbp.engine.fork import CAN_FORK, ended_if_not_all, fork

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="processes are not forked here")


def test_it_has_the_pipe_and_the_standard_streams_and_no_other_file(tmp_path):
    def work(pipe):
        kept = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]  # the list itself is closed
        pipe.send((pipe.fileno(), {int(entry.name): str(entry.readlink()) for entry in kept}))

    with (tmp_path / "open").open("w"):
        child = fork(work)
        pipe, kept = child.pipe.recv()
    assert set(kept) <= {0, 1, 2, pipe}
    assert kept[0] == kept[1] == os.devnull
    child.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_all_of_a_terminals_processes_get_are_not_for_it(number):
    child = fork(lambda pipe: pipe.send(pipe.recv()))
    os.kill(child.process, number)
    child.pipe.send("still here")
    assert child.pipe.recv() == "still here"
    child.end()
    assert number not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


WITH_ROOM_FOR_A_PIPE_ALONE = """
import os, resource
import multiprocessing.connection  # before there is no room for files
from cnnbp.engine.fork import fork, received
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) - 1 + 2, 20))
child = fork(lambda pipe: pipe.send("done"))
try:
    print(received(child.pipe))
except OSError as error:
    print(error.strerror)
child.end()
"""


def test_what_it_cannot_begin_without_is_told():
    command = [sys.executable, "-c", WITH_ROOM_FOR_A_PIPE_ALONE]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "Too many open files\n"


def test_what_goes_wrong_in_it_does_not_come_back_twice():
    child = fork(lambda pipe: 1 // 0)
    with pytest.raises(EOFError):
        child.pipe.recv()
    child.end()


def test_those_that_there_are_end_where_there_cannot_be_all():
    started = []

    def start_two():
        with ended_if_not_all() as children:
            children.append(fork(lambda pipe: pipe.recv()))
            started.extend(children)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start_two()
    assert not is_running(started[0].process)


LEADER = """
import time
from cnnbp.engine.fork import fork
children = [fork(lambda pipe: pipe.poll(None)) for _ in range(2)]
print(*(child.process for child in children), sep="\\n", flush=True)
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
