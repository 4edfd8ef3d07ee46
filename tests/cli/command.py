"""The real command, in a process of its own.

A process that starts from nothing spends most of its time on imports. So `cnnbp` has its process forked off from one
that has them done (see warm.py); what is about the start itself uses COMMAND.
"""

import atexit
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "cnnbp")

_SECONDS = 120
_READ_LATE = {"COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TERM"}  # others Python and NumPy read when they start


def environment(**variables):
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    return {**inherited, "PYTHONPATH": str(ROOT), **variables}


def cnnbp(*arguments, cwd=ROOT, **variables):
    """Run `cnnbp` and return its exit code, stdout and stderr."""
    start = warm() if variables.keys() <= _READ_LATE else COMMAND
    result = subprocess.run(
        [*start, *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


@cache
def warm():
    """Return the words that start `cnnbp` without its imports."""
    if "COVERAGE_PROCESS_CONFIG" in os.environ:  # each process is to be seen importing
        return COMMAND
    folder = tempfile.mkdtemp()
    path = f"{folder}/socket"
    code = "import sys; from tests.cli.warm import serve; serve(sys.argv[1])"
    server = subprocess.Popen(
        [sys.executable, "-c", code, path], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout.readline() == b"ready\n"

    def end():
        server.communicate()
        Path(path).unlink()
        Path(folder).rmdir()

    atexit.register(end)
    return sys.executable, "-S", "-E", str(Path(__file__).with_name("warm.py")), path
