"""The real command, in a process of its own.

A process that starts from nothing spends most of its time on imports. So `cnnbp` forks its process off from one that
has them done; what is about the start itself uses COMMAND.
"""

import os
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

from cnnbp.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "cnnbp")

_SECONDS = 120
_READY = get_context("forkserver")
if "COVERAGE_PROCESS_CONFIG" not in os.environ:  # else each process is to be seen importing
    _READY.set_forkserver_preload([f"cnnbp.cli.{verb}" for verb in VERBS])


def environment(**variables):
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    return {**inherited, "PYTHONPATH": str(ROOT), **variables}


def cnnbp(*arguments, cwd=ROOT, **variables):
    """Run `cnnbp` and return its exit code, stdout and stderr."""
    if variables:  # Python and NumPy read some when they start
        return _from_nothing([*map(str, arguments)], cwd, environment(**variables))
    return _forked([*map(str, arguments)], cwd, environment())


def _from_nothing(arguments, cwd, variables):
    result = subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, env=variables, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return result.returncode, result.stdout, result.stderr


def _forked(arguments, cwd, variables):
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _READY.Process(target=_main, args=(arguments, str(cwd), variables, out, err))
        process.start()
        process.join(_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, _SECONDS)
        return process.exitcode, out.read_text("utf-8"), err.read_text("utf-8")


def _main(arguments, cwd, variables, out, err):
    for file, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["cnnbp", *arguments]
    from cnnbp.__main__ import main

    main()
