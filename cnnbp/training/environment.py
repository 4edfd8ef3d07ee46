"""What a run's times and last bits depend on: versions, threads and the CPU."""

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from threadpoolctl import threadpool_info

from cnnbp import __version__

_PACKAGES = ("numpy", "pillow", "pydantic")


@dataclass(frozen=True)
class Environment:
    """The machine, the interpreter and the libraries."""

    python: str
    packages: dict[str, str]
    blas: str
    cpu: str
    cores: int | None
    threads: int
    system: str


def describe_environment(threads: int) -> Environment:
    """Look at this process; `threads` is how many the engine uses."""
    return Environment(
        platform.python_version(),
        {"cnnbp": __version__, **{package: version(package) for package in _PACKAGES}},
        ", ".join(_blas(library) for library in threadpool_info() if library["user_api"] == "blas"),
        _cpu(),
        os.cpu_count(),
        threads,
        f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def _blas(library: dict[str, str]) -> str:
    return " ".join(str(library.get(key, "")) for key in ("internal_api", "version", "architecture")).strip()


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
