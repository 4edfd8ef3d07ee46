"""The real command, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "cnnbp")


def environment(**variables):
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    return {**inherited, "PYTHONPATH": str(ROOT), **variables}


def cnnbp(*arguments, cwd=ROOT, **variables):
    """Run `cnnbp` and return its exit code, stdout and stderr."""
    command = [*COMMAND, *map(str, arguments)]
    result = subprocess.run(command, cwd=cwd, env=environment(**variables), capture_output=True, text=True, timeout=120)
    return result.returncode, result.stdout, result.stderr
