"""Disks that fail: mounted for a test, which is skipped where that is not allowed."""

import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def full_disk(place, size="1m"):
    """Mount an empty disk of a given size."""
    place.mkdir()
    with _mounted(place, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        yield place


@contextmanager
def read_only_disk(folder):
    """Give another path of a folder, under which it can only be read."""
    place = folder.with_name(folder.name + "-read-only")
    place.mkdir()
    with _mounted(place, "--bind", folder):
        _run("mount", "-o", "remount,ro,bind", place)
        yield place


@contextmanager
def _mounted(place, *options):
    _run("mount", *options, place)
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True, timeout=30)


def _run(*command):
    try:
        subprocess.run([*map(str, command)], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {getattr(error, 'stderr', b'') or error}")
