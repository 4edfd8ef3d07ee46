"""A few damaged files with every test run, and the fuzzer's own honesty."""

import subprocess
import sys
from random import Random

import pytest

from tests.cli.command import ROOT, environment
from tests.fuzz.__main__ import KINDS
from tests.fuzz.mutation import mutated
from tests.fuzz.worker import content_of, target


def fuzz(*arguments):
    command = [sys.executable, "-m", "tests.fuzz", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, timeout=120, check=False)


def test_damaged_files_are_read_or_refused_and_nothing_else():
    run = fuzz("--cases", 150)
    assert run.returncode == 0, run.stdout.decode()
    assert run.stdout.count(b"150 files in") == len(KINDS)
    assert run.stdout.count(b"0 tracebacks, 0 crashes, 0 hangs") == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_the_same_file_each_time(kind):
    files = target(kind).seeds()
    assert content_of(kind, 3, 14, files) == content_of(kind, 3, 14, target(kind).seeds())
    assert content_of(kind, 3, 14, files) != content_of(kind, 3, 15, files)


@pytest.mark.parametrize("kind", KINDS)
def test_every_seed_is_a_sound_file(kind, tmp_path):
    for number, content in enumerate(target(kind).seeds()):
        path = tmp_path / f"{number}.png"
        path.write_bytes(content)
        target(kind).run(path)


def test_any_bytes_can_be_damaged():
    rng = Random(0)
    for content in (b"", b"a", bytes(1000)):
        assert len({mutated(content, [b"other"], rng) for _ in range(50)}) > 5
